/**
 * What an operator may set of the bounds of HTTP, and what the engines make of it.
 *
 * @module
 */
import { H1_BACKEND_LIMITS, H1_EDGE_LIMITS, type H1Limits } from "../h1/mod.ts";
import { BACKEND_LIMITS, EDGE_LIMITS, type Limits } from "../h2/mod.ts";
import type { HttpLimits } from "../http/mod.ts";

export type { HttpLimits };

/** What holds unless the operator says otherwise. */
export const DEFAULT_HTTP_LIMITS: HttpLimits = Object.freeze({
  maxRequestHead: H1_EDGE_LIMITS.maxHead,
  maxResponseHead: H1_BACKEND_LIMITS.maxHead,
  maxFields: H1_EDGE_LIMITS.maxFields,
  maxTrailers: H1_EDGE_LIMITS.maxTrailers,
  maxChunkOverhead: H1_EDGE_LIMITS.maxChunkOverhead,
  contentBuffer: H1_EDGE_LIMITS.window,
  headerTimeoutMs: H1_EDGE_LIMITS.headerTimeoutMs,
  keepAliveTimeoutMs: H1_EDGE_LIMITS.idleTimeoutMs,
  maxRequests: 0,
  maxInterim: 64,
  maxInterimForwarded: 8,
});

/** Frames are 16 KiB unless their receiver asks for more, and none of ours does. */
const FRAME = 16_384;

/** What each engine is given, for as long as the settings stay as they are. */
export class EngineLimits {
  readonly http: HttpLimits;
  readonly h1Downstream: H1Limits;
  readonly h1Backend: H1Limits;
  readonly h2Downstream: Limits;
  readonly h2Backend: Limits;

  constructor(http: HttpLimits = DEFAULT_HTTP_LIMITS) {
    this.http = http;
    const { maxFields, maxTrailers, maxChunkOverhead, contentBuffer } = http;
    const both = { maxFields, maxTrailers, maxChunkOverhead, sendBuffer: contentBuffer };
    this.h1Downstream = {
      ...H1_EDGE_LIMITS,
      ...both,
      maxHead: http.maxRequestHead,
      window: contentBuffer,
      headerTimeoutMs: http.headerTimeoutMs,
      idleTimeoutMs: http.keepAliveTimeoutMs,
    };
    this.h1Backend = {
      ...H1_BACKEND_LIMITS,
      ...both,
      maxHead: http.maxResponseHead,
      window: 2 * contentBuffer,
    };
    this.h2Downstream = {
      ...EDGE_LIMITS,
      ...blocksOf(http.maxRequestHead),
      prefaceTimeoutMs: http.headerTimeoutMs,
      headerBlockTimeoutMs: http.headerTimeoutMs,
    };
    this.h2Backend = { ...BACKEND_LIMITS, ...blocksOf(http.maxResponseHead) };
  }
}

/** Twice the list is an attack, and a peer may cut its blocks four times as small as it must. */
function blocksOf(
  head: number,
): Pick<Limits, "maxHeaderListSize" | "maxHeaderBlock" | "maxContinuations"> {
  return {
    maxHeaderListSize: head,
    maxHeaderBlock: 2 * head,
    maxContinuations: Math.max(EDGE_LIMITS.maxContinuations, Math.ceil((2 * head) / FRAME) * 4),
  };
}
