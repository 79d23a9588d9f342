import type { JsonSchema } from "./json_schema.ts";
import type { Route } from "./route.ts";
import { PROBLEM } from "./schemas.ts";

const PARAMETERS: Readonly<Record<string, string>> = {
  zone: "Name of the zone, in full; a last dot may be left out.",
  id: "Id of the record.",
  name: "Name, relative to the zone unless it ends in a dot; `@` is the zone itself.",
  type: "Type of the records.",
};

const NEEDS: Readonly<Record<Route["needs"], string>> = {
  nothing: "Nobody is asked for a token.",
  any: "Needs any token.",
  read: "Needs `read` for the zone.",
  write: "Needs `write` for the zone.",
  admin: "Needs `admin`.",
};

/** The description of the API (OpenAPI 3.1), made of its routes. */
export function describeApi(routes: readonly Route[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = paths[route.path] ??= {};
    path[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "MCNS",
      version,
      description:
        "Zones and records of the name server. A change is stored and in effect when it " +
        "is answered, and did not happen when it is refused.",
    },
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { Problem: PROBLEM },
    },
    security: [{ token: [] }],
    paths,
  };
}

function operation(route: Route): unknown {
  const { id, summary, needs, query = {}, isConditional = false, input, takesFile } = route;
  const names = [...route.path.matchAll(/\{(.+?)\}/g)].map(([, name = ""]) => name);
  return {
    operationId: id,
    summary,
    description: NEEDS[needs],
    ...needs === "nothing" && { security: [] },
    parameters: [
      ...names.map((name) => parameter("path", name, PARAMETERS[name] ?? "", true)),
      ...Object.entries(query).map(([name, { description, isNeeded = false, type }]) =>
        parameter("query", name, description, isNeeded, type)
      ),
      ...isConditional
        ? [parameter("header", "If-Match", "ETags of the zone that the change is made for.", false)]
        : [],
    ],
    ...input !== undefined && { requestBody: content("application/json", input) },
    ...takesFile && { requestBody: content("text/dns", { type: "string" }) },
    responses: responses(route),
  };
}

function parameter(
  place: string,
  name: string,
  description: string,
  required: boolean,
  type = "string",
) {
  return { in: place, name, description, required, schema: { type } };
}

function content(type: string, schema: JsonSchema) {
  return { required: true, content: { [type]: { schema } } };
}

function responses({ output, givesFile, takesFile, status = 200, id }: Route) {
  const answer = output !== undefined
    ? { content: { "application/json": { schema: output } } }
    : givesFile
    ? { content: { "text/dns": { schema: { type: "string" } } } }
    : {};
  const done = { description: "Done.", ...answer };
  return {
    [status]: done,
    ...takesFile && { 201: { ...done, description: "The zone was made." } },
    ...id === "GetHealth" && { 503: { ...done, description: "Not healthy." } },
    default: {
      description: "Why not.",
      content: {
        "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
      },
    },
  };
}
