import { type FieldProblem, invalidFields } from "../queue/mod.ts";

/** As much of JSON Schema as the API needs; OpenAPI 3.1 takes it as it is. */
export type JsonSchema =
  | { readonly type: "string" | "boolean"; readonly description?: string }
  | {
    readonly type: "integer";
    readonly description?: string;
    readonly minimum?: number;
    readonly maximum?: number;
  }
  | {
    readonly type: "array";
    readonly description?: string;
    readonly items: JsonSchema;
    readonly maxItems?: number;
  }
  | {
    readonly type: "object";
    readonly description?: string;
    readonly properties: Readonly<Record<string, JsonSchema>>;
    readonly required: readonly string[];
    readonly additionalProperties: false;
  };

/** An object of these properties; those that may be left out end in a question mark. */
export function object(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const entries = Object.entries(properties);
  return {
    type: "object",
    properties: Object.fromEntries(entries.map(([name, own]) => [name.replace(/\?$/, ""), own])),
    required: entries.map(([name]) => name).filter((name) => !name.endsWith("?")),
    additionalProperties: false,
  };
}

/** Everything about a value that is not as its schema says. */
export function problemsOf(value: unknown, schema: JsonSchema, path = ""): FieldProblem[] {
  const wrong = (message: string): FieldProblem[] => [{ field: path || "body", message }];
  switch (schema.type) {
    case "string":
      return typeof value === "string" ? [] : wrong("not a string");
    case "boolean":
      return typeof value === "boolean" ? [] : wrong("not a boolean");
    case "integer": {
      const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = schema;
      const isInside = Number.isInteger(value) && Number(value) >= minimum &&
        Number(value) <= maximum;
      return isInside ? [] : wrong(`not a whole number from ${minimum} to ${maximum}`);
    }
    case "array": {
      const { items, maxItems = Infinity } = schema;
      if (!Array.isArray(value)) return wrong("not a list");
      if (value.length > maxItems) return wrong(`over ${maxItems} entries`);
      return value.flatMap((item, i) => problemsOf(item, items, `${path}[${i}]`));
    }
    case "object": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return wrong("not an object");
      }
      const at = (name: string) => path === "" ? name : `${path}.${name}`;
      const missing = schema.required.filter((name) => !Object.hasOwn(value, name));
      return [
        ...missing.map((name) => ({ field: at(name), message: "is missing" })),
        ...Object.entries(value).flatMap(([name, own]) => {
          const { properties } = schema;
          const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
          if (known === undefined) {
            return [{ field: at(name.slice(0, 64)), message: "is not known" }];
          }
          return problemsOf(own, known, at(name));
        }),
      ];
    }
  }
}

const DECODER = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads JSON that is as a schema says.
 *
 * @throws {RefusedError} `invalid_argument`
 */
export function readJson<T>(octets: Uint8Array, schema: JsonSchema): T {
  let value: unknown;
  try {
    value = JSON.parse(DECODER.decode(octets));
  } catch {
    throw invalidFields([{ field: "body", message: "not JSON in UTF-8" }]);
  }
  const problems = problemsOf(value, schema);
  if (problems.length > 0) throw invalidFields(problems);
  return value as T;
}
