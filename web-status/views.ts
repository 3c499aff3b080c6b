import { readFileSync } from "node:fs";
import { join } from "node:path";
import ejs from "ejs";
import type { present } from "./present.ts";

type Numbers = ReturnType<typeof present>;

function view(name: string): (shown: object) => string {
  const filename = join(import.meta.dirname, "views", `${name}.ejs`);
  const render = ejs.compile(readFileSync(filename, "utf8"), {
    filename,
    strict: true,
    localsName: "it",
    rmWhitespace: true,
    cache: true,
  });
  return (shown) => render(shown);
}

/** The whole page. It includes `numbers`. */
export const page: (shown: Numbers) => string = view("page");
/** The part that changes: the same for the first paint and for every update. */
export const numbers: (shown: Numbers) => string = view("numbers");
/** A page with only something to say. */
export const message: (shown: { title: string; text: string }) => string = view("message");
