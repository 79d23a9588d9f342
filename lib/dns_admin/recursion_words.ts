import type { Explanation } from "../dns_control/mod.ts";

/**
 * What becomes of a question that the zones here do not answer to its end, for one client.
 *
 * @param words of whether the client may have names looked up; absent: nobody knows.
 */
export function recursionOf(
  { verdict, outside }: Pick<Explanation, "verdict" | "outside">,
  words: () => string | undefined,
): string | undefined {
  if (verdict === "not_authoritative") return words();
  const said = outside === undefined ? undefined : words();
  return said && `${outside}: ${said}`;
}
