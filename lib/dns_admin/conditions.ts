/** An `If-Match` or `If-None-Match` (RFC 9110 §13.1). */
export type Condition = "none" | "any" | readonly string[];

/** How many tags are looked at. */
const MAX_TAGS = 32;

/**
 * Reads a list of entity tags. Weak ones are left out of those that have to match strongly.
 *
 * @returns `malformed` for what is none, which must not pass for no condition at all.
 */
export function readCondition(
  field: string | undefined,
  { weak }: { readonly weak: boolean },
): Condition | "malformed" {
  if (field === undefined) return "none";
  if (field.trim() === "*") return "any";
  const tags: string[] = [];
  for (const part of field.split(",")) {
    const [, isWeak, tag] = /^\s*(W\/)?"([\x21\x23-\x7e]*)"\s*$/.exec(part) ?? [];
    if (tag === undefined || tags.length >= MAX_TAGS) return "malformed";
    if (isWeak === undefined || weak) tags.push(tag);
  }
  return tags;
}
