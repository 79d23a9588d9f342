/** How a call of a name server's API ended. */
export type DnsRestErrorCode =
  /** Nobody was reached, or the connection broke: nobody knows whether the call was made. */
  | "network"
  /** There was no answer in time: nobody knows whether the call was made. */
  | "timeout"
  /** Given up by the caller. */
  | "cancelled"
  /** The server says no: nothing has changed. */
  | "refused"
  /** The answer is none of this API. */
  | "malformed";

/** Why a call of a name server's API failed, in words for operators. */
export class DnsRestError extends Error {
  override readonly name = "DnsRestError";
  readonly code: DnsRestErrorCode;
  /** Of HTTP; 0: there was no answer. */
  readonly status: number;
  /** What is wrong with fields of the request, as far as the server says. */
  readonly fields: readonly { readonly field: string; readonly message: string }[];

  constructor(
    code: DnsRestErrorCode,
    message: string,
    { status = 0, fields = [], ...options }: ErrorOptions & {
      readonly status?: number;
      readonly fields?: DnsRestError["fields"];
    } = {},
  ) {
    super(message, options);
    this.code = code;
    this.status = status;
    this.fields = fields;
  }
}
