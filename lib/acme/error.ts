/** What went wrong between us and the CA; the message is for people and holds nothing secret. */
export class AcmeError extends Error {
  override readonly name = "AcmeError";
  /** `network`, `timeout`, `too_large`, `malformed`, `refused` by the CA, or `failed` on the way. */
  readonly code: AcmeErrorCode;
  /** The CA's own word for it, without `urn:ietf:params:acme:error:`. */
  readonly type: string | undefined;
  readonly status: number | undefined;
  /** The CA asks to wait so long. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: AcmeErrorCode,
    message: string,
    options: {
      readonly type?: string | undefined;
      readonly status?: number | undefined;
      readonly retryAfterMs?: number | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.type = options.type;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Kinds of {@link AcmeError}. */
export type AcmeErrorCode =
  | "network"
  | "timeout"
  | "too_large"
  | "malformed"
  | "refused"
  | "failed"
  | "cancelled";

const ERROR_PREFIX = "urn:ietf:params:acme:error:";
/** Of what a CA says, so much goes into a message: it may say anything. */
const MAX_DETAIL = 300;

/** The error that a CA's problem document (RFC 7807, RFC 8555 §6.7) stands for. */
export function problemError(
  body: unknown,
  { status, retryAfterMs, doing }: {
    readonly status?: number;
    readonly retryAfterMs?: number | undefined;
    readonly doing: string;
  },
): AcmeError {
  const { type, detail } = (typeof body === "object" && body !== null ? body : {}) as {
    readonly type?: unknown;
    readonly detail?: unknown;
  };
  const short = typeof type === "string" && type.startsWith(ERROR_PREFIX)
    ? printable(type.slice(ERROR_PREFIX.length), 64)
    : undefined;
  const said = typeof detail === "string" ? printable(detail, MAX_DETAIL) : "";
  const words = [short, said].filter((word) => word !== undefined && word !== "").join(": ");
  const message = `the CA refuses ${doing}${status === undefined ? "" : ` (${status})`}`;
  return new AcmeError("refused", words === "" ? message : `${message}: ${words}`, {
    type: short,
    status,
    retryAfterMs,
  });
}

/** Text of a stranger as one line of at most `length` characters. */
export function printable(text: string, length: number): string {
  // deno-lint-ignore no-control-regex -- those are what must not reach a log
  const line = text.slice(0, length * 4).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
  return line.length > length ? `${line.slice(0, length)}…` : line;
}
