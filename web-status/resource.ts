import type { z } from "zod";
import type { Visitor } from "./access/access.ts";

/** Who sees it, and where links lead. */
export interface Shown {
  /** The path that the page is mounted at, "" or such as "/ops/bus". */
  readonly base: string;
  /** Where one can log in, and comes back to this view. */
  readonly logIn: string;
  readonly visitor: Visitor;
}

/** A view waits at most so long for what it can do without: the page is there within a second. */
export const FIRST_MS = 700;

/** Something that the page shows: at `path` for people, at `/api/v1` + `path` for programs. */
export interface Resource<Query extends z.ZodObject = z.ZodObject, Answer = unknown> {
  /** As Express has it. */
  readonly path: string;
  /** In the place of `path` for programs. */
  readonly apiPath?: string;
  /** In a few words, for the API's document. */
  readonly summary: string;
  /** The parameters of path and query, by name. */
  readonly query: Query;
  readonly answer: z.ZodType<Answer>;
  /** Only for who may see details. */
  readonly needsDetails?: true;
  /** It is a search, or a form: the page shows it as it was, and does not make it anew every second. */
  readonly isStill?: true;
  /** Throws NotFound, and MetrobusError when something can't be read. */
  read(query: z.output<Query>, visitor: Visitor): Promise<Answer>;
  title(query: z.output<Query>): string;
  /** The answer as HTML, the same for the first paint and for every update. */
  show(answer: Answer, shown: Shown & { readonly query: z.output<Query> }): string;
}

/** Something that an operator does: a form is sent to `path`, JSON to `/api/v1` + `path`. */
export interface Deed<Body extends z.ZodObject = z.ZodObject, Answer extends object = object> {
  readonly path: string;
  readonly summary: string;
  /** Parameters of the path and fields, by name. */
  readonly body: Body;
  readonly answer: z.ZodType<Answer>;
  /** `by`: the operator's name. Throws NotFound, NotDone, and MetrobusError when it can't be done. */
  run(body: z.output<Body>, by: string): Promise<Answer>;
  /** Where somebody who has sent the form finds what came of it. */
  next(answer: Answer, body: z.output<Body>): string;
}

export const resource = <Query extends z.ZodObject, Answer>(it: Resource<Query, Answer>): Resource =>
  it as unknown as Resource;
/** Of its body nothing is left out silently: who misspells a filter does not mean all letters. */
export const deed = <Body extends z.ZodObject, Answer extends object>(it: Deed<Body, Answer>): Deed =>
  ({ ...it, body: it.body.strict() }) as unknown as Deed;

/** There is no such thing. Its message is shown. */
export class NotFound extends Error {}

/** It was asked for rightly, and can't be done. Its message is shown. */
export class NotDone extends Error {}
