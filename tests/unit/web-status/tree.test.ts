import { exactJson } from "metrobus";
import { expect, test } from "vitest";
import { twigsOf } from "../../../web-status/letters/tree.ts";

test("what a payload holds can be unfolded, numbers with all their digits", () => {
  expect(twigsOf(exactJson('{"order":{"lines":[{"n":12345678901234567890}],"note":""},"paid":null}'))).toEqual([
    {
      name: "order",
      text: "2 fields",
      twigs: [
        {
          name: "lines",
          text: "1 item",
          twigs: [{ name: "0", text: "1 field", twigs: [{ name: "n", text: "12345678901234567890", twigs: null }] }],
        },
        { name: "note", text: '""', twigs: null },
      ],
    },
    { name: "paid", text: "null", twigs: null },
  ]);
});

test("a single value holds nothing, and what is deep is one text from some depth on", () => {
  for (const single of [1, "text", null, exactJson("1.50")]) expect(twigsOf(single)).toBeNull();
  const deep = JSON.stringify(twigsOf(JSON.parse("[".repeat(100) + "]".repeat(100))));
  expect(deep).toContain(`"text":"${"[".repeat(70)}${"]".repeat(70)}"`);
});
