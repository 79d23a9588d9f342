import { L7_POLICY_DOC, L7_POLICY_TYPES, parseL7Policy } from "../policy/mod.ts";
import type { Result } from "../addr/mod.ts";
import { field, oneOf, parsed, type Place, quote, record, type ValueOf } from "../schema/mod.ts";

/** A condition on the requests of an l7 route. */
export const POLICY = record({
  type: field("type", oneOf(...L7_POLICY_TYPES), {
    required: true,
    doc: L7_POLICY_DOC,
    title: "TYPE",
  }),
  value: field(
    "value",
    parsed("text, or `/regex/` in RE2's syntax for `block_user_agent`", anyText),
    {
      required: true,
      doc: "What to look for.",
      title: "VALUE",
    },
  ),
}, { identity: ["type", "value"], rule: checkValue });

/** A policy before the database gives it an id. */
export type Policy = ValueOf<typeof POLICY>;

/** What a value may be depends on the type next to it. */
function checkValue(
  { type, value }: { readonly type: string; readonly value: string },
  { path, report }: Place,
): { value: string } | undefined {
  const at = [...path, "value"];
  // Reported already.
  if (report.hasProblem([...path, "type"]) || report.hasProblem(at)) return undefined;
  const result = parseL7Policy(type, value);
  if (result.ok) return { value: result.value };
  report.problem(at, `${quote(value)} is invalid: ${result.reason}`, { reason: result.reason });
}

/** What it may be is for {@link checkValue}. */
function anyText(text: string): Result<string> {
  return { ok: true, value: text };
}
