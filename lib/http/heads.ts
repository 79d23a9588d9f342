/**
 * Heads of messages as every version of HTTP here has them, so that a message passes from one to
 * another without a copy.
 *
 * @module
 */

/** Regular fields as alternating names (lower case) and values, in order. */
export type Fields = readonly string[];

/**
 * The head of a request. What came from a peer has passed the rules of its version: names and
 * values are safe to write into any other, `host` is folded into `authority`, cookie crumbs are
 * joined, and no field is left that belongs to one connection.
 */
export interface RequestHead {
  readonly method: string;
  /** Empty only in a plain CONNECT. */
  readonly scheme: string;
  /** Empty if the request names no host. */
  readonly authority: string;
  /** Path and query; empty only in a plain CONNECT. */
  readonly path: string;
  /** What a tunnel is asked for (RFC 8441, or `Upgrade`); empty in any other request. */
  readonly protocol: string;
  readonly fields: Fields;
  /** The declared `content-length`, which also stays in `fields`; -1 if there is none. */
  readonly contentLength: number;
  /** Names of fields that must stay literal on every hop (RFC 7541 §7.1.3). */
  readonly neverIndexed?: readonly string[] | undefined;
}

/** The head of a response, or of an informational one (`status` below 200). */
export interface ResponseHead {
  readonly status: number;
  readonly fields: Fields;
  /** The declared `content-length`, which also stays in `fields`; -1 if there is none. */
  readonly contentLength: number;
  /** Names of fields that must stay literal on every hop (RFC 7541 §7.1.3). */
  readonly neverIndexed?: readonly string[] | undefined;
}

/** What a client session needs to open a stream. */
export type RequestInit =
  & Pick<RequestHead, "method" | "scheme" | "authority" | "path" | "fields">
  & Partial<Pick<RequestHead, "protocol" | "neverIndexed">>;

/** What a stream needs to answer. */
export type ResponseInit =
  & Pick<ResponseHead, "status" | "fields">
  & Partial<Pick<ResponseHead, "neverIndexed">>;
