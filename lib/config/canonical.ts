import { formatCidr, formatIp, parseCidr, parseIp, type Result } from "../addr/mod.ts";

/** What was parsed, in its canonical form. */
export function canonical<T>(result: Result<T>, format: (value: T) => string): Result<string> {
  return result.ok ? { ok: true, value: format(result.value) } : result;
}

/** An address, or a block of them. */
export function ipOrCidr(text: string): Result<string> {
  return text.includes("/")
    ? canonical(parseCidr(text), formatCidr)
    : canonical(parseIp(text), formatIp);
}
