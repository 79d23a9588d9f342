/**
 * A parsed value, or why there is none. `reason` continues the sentence "`<text>` is invalid: …"
 * and never repeats the text, which may be hostile.
 */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/** A parsed value. */
export function success<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** A refusal with its reason. */
export function failure(reason: string): Result<never> {
  return { ok: false, reason };
}
