import { readFileSync } from "node:fs";
import { join } from "node:path";
import ejs from "ejs";
import type { Shown } from "./resource.ts";

/** A template of views/, by name; what it gets is `it`. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- it says what the template gets
export function view<Given extends object>(name: string): (given: Given) => string {
  const filename = join(import.meta.dirname, "views", `${name}.ejs`);
  const render = ejs.compile(readFileSync(filename, "utf8"), {
    filename,
    strict: true,
    localsName: "it",
    rmWhitespace: true,
    cache: true,
  });
  return (given) => render(given);
}

export interface Framed extends Shown {
  readonly title: string;
  /** The page's own, without base. */
  readonly path: string;
  /** HTML. */
  readonly main: string;
  /** It is kept new. */
  readonly isLive: boolean;
}

const page = view<Framed & { sections: readonly object[] }>("page");

const SECTIONS = [
  { path: "/", label: "Map" },
  { path: "/stops", label: "Stops" },
  { path: "/trips", label: "Trips" },
  { path: "/letters", label: "Dead letters" },
  { path: "/send", label: "Send" },
  { path: "/audit", label: "Audit" },
];

/** A whole page around what it shows. */
export function frame(framed: Framed): string {
  const isIn = (path: string) => (path === "/" ? framed.path === "/" : `${framed.path}/`.startsWith(`${path}/`));
  const sections = SECTIONS.map(({ path, label }) => ({ href: framed.base + path, label, current: isIn(path) }));
  return page({ ...framed, sections });
}

interface Trouble {
  readonly status: number;
  readonly title: string;
  readonly text: string;
  /** Where the form was; null: nobody knows. */
  readonly back: string | null;
  /** The page asks again by itself, once a second. */
  readonly isAskedAgain: boolean;
}

/** In the place of what can't be shown. */
export const trouble: (what: Trouble) => string = view("trouble");
