import { AcmeError, problemError } from "./error.ts";
import { checkUrl } from "./http.ts";

/** An order (RFC 8555 §7.1.3). */
export interface Order {
  readonly url: string;
  readonly status: "pending" | "ready" | "processing" | "valid" | "invalid";
  readonly authorizations: readonly string[];
  readonly finalize: string;
  /** Of a valid order. */
  readonly certificate?: string;
  /** Of an invalid order. */
  readonly error?: AcmeError;
  readonly retryAfterMs: number | undefined;
}

/** The proof of one name (RFC 8555 §7.1.4). */
export interface Authorization {
  readonly url: string;
  readonly status: "pending" | "valid" | "invalid" | "deactivated" | "expired" | "revoked";
  /** Without the `*.` of a wildcard. */
  readonly name: string;
  readonly isWildcard: boolean;
  readonly challenges: readonly Challenge[];
  readonly retryAfterMs: number | undefined;
}

/** One way to prove a name. */
export interface Challenge {
  readonly type: string;
  readonly url: string;
  readonly status: string;
  readonly token: string;
  readonly error?: AcmeError;
}

/** When a CA wants a certificate renewed (RFC 9773 §4.2), in milliseconds since 1970. */
export interface RenewalWindow {
  readonly startMs: number;
  readonly endMs: number;
  readonly retryAfterMs: number | undefined;
}

/** More names are not in one order of ours; a CA that lists more lies. */
const MAX_AUTHORIZATIONS = 100;
const MAX_CHALLENGES = 16;
/** RFC 8555 §8.1: base64url, at least 128 bits; it becomes a path and a record, so nothing else. */
const TOKEN = /^[A-Za-z0-9_-]{16,512}$/;

const ORDER_STATES = ["pending", "ready", "processing", "valid", "invalid"] as const;
const AUTHORIZATION_STATES = [
  "pending",
  "valid",
  "invalid",
  "deactivated",
  "expired",
  "revoked",
] as const;

type Json = Readonly<Record<string, unknown>>;

/** Reads an order. @throws {AcmeError} */
export function readOrder(json: Json, url: string, retryAfterMs: number | undefined): Order {
  const { finalize, certificate, error } = json;
  const authorizations = listOf(json["authorizations"], MAX_AUTHORIZATIONS, "authorizations");
  checkUrl(finalize);
  for (const each of authorizations) checkUrl(each);
  if (certificate !== undefined) checkUrl(certificate);
  return {
    url,
    status: stateOf(json, ORDER_STATES, "an order"),
    authorizations: authorizations as string[],
    finalize,
    ...certificate !== undefined && { certificate: certificate as string },
    ...error !== undefined && { error: problemError(error, { doing: "the order" }) },
    retryAfterMs,
  };
}

/** Reads an authorization; challenges that cannot be used are left out. @throws {AcmeError} */
export function readAuthorization(
  json: Json,
  url: string,
  retryAfterMs: number | undefined,
): Authorization {
  const { type, value } = (json["identifier"] ?? {}) as Json;
  if (type !== "dns" || typeof value !== "string") {
    throw new AcmeError("malformed", "the CA wants something else proved than a name");
  }
  const challenges = listOf(json["challenges"], MAX_CHALLENGES, "challenges") as Json[];
  return {
    url,
    status: stateOf(json, AUTHORIZATION_STATES, "an authorization"),
    name: value.toLowerCase(),
    isWildcard: json["wildcard"] === true,
    challenges: challenges.flatMap((challenge) => readChallenge(challenge) ?? []),
    retryAfterMs,
  };
}

/** Reads renewal information. @throws {AcmeError} */
export function readRenewalInfo(json: Json, retryAfterMs: number | undefined): RenewalWindow {
  const { start, end } = (json["suggestedWindow"] ?? {}) as Json;
  const startMs = Date.parse(String(start));
  const endMs = Date.parse(String(end));
  if (!(startMs < endMs)) {
    throw new AcmeError("malformed", "the CA's window of renewal has no start before its end");
  }
  return { startMs, endMs, retryAfterMs };
}

function readChallenge(json: Json): Challenge | undefined {
  const { type, url, status, token, error } = json;
  if (typeof type !== "string" || typeof token !== "string" || !TOKEN.test(token)) return undefined;
  checkUrl(url);
  return {
    type,
    url,
    status: String(status),
    token,
    ...error !== undefined && { error: problemError(error, { doing: `the ${type} challenge` }) },
  };
}

function stateOf<T extends string>(json: Json, states: readonly T[], what: string): T {
  const state = states.find((each) => each === json["status"]);
  if (state === undefined) throw new AcmeError("malformed", `the CA gives ${what} no known status`);
  return state;
}

function listOf(value: unknown, max: number, what: string): unknown[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > max) {
    throw new AcmeError("malformed", `the CA lists no ${what}, or over ${max}`);
  }
  return value;
}
