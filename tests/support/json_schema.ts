/**
 * Looks whether values are as a JSON Schema says, written apart from the program's own: what a foreign
 * client would do with the description of the API.
 *
 * @module
 */

/** As much of JSON Schema as the description has. */
export interface Schema {
  readonly type?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What of a value is not as its schema says. */
export function problemsOf(value: unknown, schema: Schema, path = "$"): string[] {
  const actual = Array.isArray(value)
    ? "array"
    : Number.isInteger(value)
    ? "integer"
    : value === null
    ? "null"
    : typeof value;
  if (schema.type !== actual) return [`${path}: ${actual} instead of ${schema.type}`];
  const problems: string[] = [];
  if (typeof value === "number") {
    if (value < (schema.minimum ?? value)) problems.push(`${path}: ${value} is too small`);
    if (value > (schema.maximum ?? value)) problems.push(`${path}: ${value} is too large`);
  }
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      problems.push(...problemsOf(item, schema.items ?? {}, `${path}[${i}]`));
    }
  }
  if (actual === "object") {
    const entries = Object.entries(value as Record<string, unknown>);
    const properties = schema.properties ?? {};
    for (const name of schema.required ?? []) {
      if (!entries.some(([own]) => own === name)) problems.push(`${path}.${name} is missing`);
    }
    for (const [name, own] of entries) {
      const known = properties[name];
      if (known === undefined) problems.push(`${path}.${name} is not described`);
      else problems.push(...problemsOf(own, known, `${path}.${name}`));
    }
  }
  return problems;
}
