import { z } from "zod";
import type { Deed, Resource } from "./resource.ts";

const ERROR = z.object({ error: z.string().describe("What is wrong, why, and what to do") });
const ERRORS = {
  400: "A parameter is wrong",
  401: "The name or the password is wrong",
  403: "It is for operators",
  404: "There is no such thing",
  409: "Nothing was done, since something else was before",
  413: "The body is larger than any letter",
  415: "The body is of a type that is not read",
  422: "It can't be done",
  429: "Too many wrong passwords: Retry-After says when to try again",
  503: "Redis or the bus can't be reached, or has not been read yet",
};

/** What programs may ask, as an OpenAPI 3.1 document, made of the same schemas that answers are made by. */
export function openApi(resources: readonly Resource[], deeds: readonly Deed[]): object {
  const paths: Record<string, object> = {};
  const add = (path: string, what: object) => {
    const there = path.replaceAll(/:(\w+)/g, "{$1}");
    paths[there] = { ...paths[there], ...what };
  };
  for (const { path, apiPath = path, summary, query, answer, needsDetails } of resources) {
    const parameters = parametersOf(query, path);
    const security = needsDetails ? { security: [{ operator: [] }] } : {};
    add(apiPath, { get: { summary, parameters, ...security, responses: responses(answer) } });
  }
  for (const { path, summary, body, answer } of deeds) {
    const parameters = parametersOf(body, path).filter((parameter) => parameter.in === "path");
    const names = new Set(parameters.map(({ name }) => name));
    const rest = z.strictObject(Object.fromEntries(Object.entries(body.shape).filter(([name]) => !names.has(name))));
    const requestBody = { required: !rest.safeParse({}).success, content: json(rest, "input") };
    add(path, {
      post: { summary, parameters, requestBody, security: [{ operator: [] }], responses: responses(answer) },
    });
  }
  return {
    openapi: "3.1.0",
    info: { title: "metrobus status page", version: "1" },
    servers: [{ url: "v1", description: "Beside this document" }],
    components: { securitySchemes: { operator: { type: "http", scheme: "basic", description: "See WEB_OPERATORS" } } },
    paths,
  };
}

const json = (schema: z.ZodType, io?: "input") => ({ "application/json": { schema: schemaOf(schema, io) } });

function schemaOf(schema: z.ZodType, io: "input" | "output" = "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}

function parametersOf(query: z.ZodObject, path: string) {
  const { properties = {}, required = [] } = schemaOf(query, "input") as {
    properties?: Record<string, { description?: string }>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => {
    const isInPath = path.includes(`:${name}`);
    return {
      name,
      in: isInPath ? "path" : "query",
      required: isInPath || required.includes(name),
      ...(description && { description }),
      schema,
    };
  });
}

function responses(answer: z.ZodType): object {
  const errors = Object.entries(ERRORS).map(([status, description]) => [status, { description, content: json(ERROR) }]);
  return { 200: { description: "The answer", content: json(answer) }, ...(Object.fromEntries(errors) as object) };
}
