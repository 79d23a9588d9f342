import type { L7PolicyType } from "./policy.ts";

/** Fields that no policy sees: they belong to one connection, or are the authority by now. */
const NEVER_SEEN: ReadonlySet<string> = new Set([
  "connection",
  "host",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Why no request can ever pass a policy that is well-formed; `undefined`: some can.
 *
 * @param refuseUnderscores Whether requests with `_` in the name of a field are refused anyway.
 */
export function whyNeverMet(
  { type, value }: { readonly type: L7PolicyType; readonly value: string },
  refuseUnderscores: boolean,
): string | undefined {
  if (type !== "require_header") return undefined;
  const name = value.toLowerCase();
  if (refuseUnderscores && name.includes("_")) {
    return "no request passes: those with `_` in the name of a field are refused " +
      "(l7.refuse_underscores)";
  }
  return NEVER_SEEN.has(name)
    ? "no request passes: this field belongs to a connection, and policies do not see it"
    : undefined;
}
