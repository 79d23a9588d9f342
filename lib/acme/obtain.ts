import { setTimeout as timer } from "node:timers/promises";
import type { AcmeClient, NewOrder } from "./client.ts";
import { createCsr } from "./csr.ts";
import { AcmeError } from "./error.ts";
import { keyAuthorization } from "./jws.ts";
import type { SigningKey } from "./keys.ts";
import type { Authorization, Challenge, Order } from "./resources.ts";

/** Ways to prove a name that we know (RFC 8555 §8.3, §8.4; RFC 8737). */
export const CHALLENGE_TYPES = ["tls-alpn-01", "http-01", "dns-01"] as const;

/** One of {@link CHALLENGE_TYPES}. */
export type ChallengeType = typeof CHALLENGE_TYPES[number];

/** Between two looks at what the CA is working on. */
const POLL_MS = 1000;
const MAX_POLL_MS = 30_000;

/** What has to be there for whoever checks a name. */
export interface Proof {
  readonly name: string;
  readonly token: string;
  readonly keyAuthorization: string;
}

/** Shows the CA what it looks for. */
export interface Prover {
  readonly type: ChallengeType;
  /** Resolves when the proof can be seen by everybody. */
  show(proof: Proof, signal: AbortSignal): Promise<void>;
  /** Whether it was seen or not. Never fails. */
  hide(proof: Proof): Promise<void>;
}

/** What {@link obtainCertificate} works with. */
export interface ObtainOptions extends NewOrder {
  readonly client: AcmeClient;
  /** Of the certificate. */
  readonly key: SigningKey;
  readonly prover: Prover;
  /** An order that was begun before, to be gone on with. */
  readonly resume?: string | undefined;
  /** Told the URL of the order as soon as there is one: a restart goes on with it. */
  readonly onOrder?: (url: string) => void | Promise<void>;
  /** Called before each step that the CA counts; throws if it is not to be taken. */
  readonly mayGoOn?: () => void;
  /** Ends everything; a deadline is the caller's. */
  readonly signal: AbortSignal;
  /** Waits; default: a timer. */
  readonly delay?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Gets a certificate from order to chain; gives the chain, PEM, which is the CA's word: whether it fits
 * is the caller's to check.
 *
 * @throws {AcmeError}
 */
export async function obtainCertificate(options: ObtainOptions): Promise<string> {
  const { client, key, names, signal } = options;
  let order = await beginOrder(options);
  await options.onOrder?.(order.url);
  if (order.status === "pending") {
    await proveAll(order, options);
    order = await settled(order, ["pending"], options);
  }
  if (order.status === "ready") {
    options.mayGoOn?.();
    order = await client.finalize(order, await createCsr(key, names), { signal });
  }
  order = await settled(order, ["processing", "ready"], options);
  if (order.status !== "valid" || order.certificate === undefined) throw orderFailed(order);
  return await client.certificate(order.certificate, { signal });
}

/** Goes on with the order of before while that makes sense; one that is over costs nothing to ask. */
async function beginOrder(options: ObtainOptions): Promise<Order> {
  const { client, resume, signal } = options;
  if (resume !== undefined) {
    try {
      const order = await client.order(resume, { signal });
      if (order.status !== "invalid") return order;
    } catch (error) {
      // Forgotten, or of another account: anything but being out of reach.
      if (!(error instanceof AcmeError) || error.code !== "refused") throw error;
    }
  }
  options.mayGoOn?.();
  try {
    return await client.newOrder(options, { signal });
  } catch (error) {
    // RFC 9773 §5: what was replaced already, or is not known here, cannot be.
    const isOfReplacing = error instanceof AcmeError && error.code === "refused" &&
      ["alreadyReplaced", "malformed", "conflict"].includes(error.type ?? "");
    if (options.replaces === undefined || !isOfReplacing) throw error;
    return await client.newOrder({ ...options, replaces: undefined }, { signal });
  }
}

/** Proves one name after the other that is not proved yet. */
async function proveAll(order: Order, options: ObtainOptions): Promise<void> {
  for (const url of order.authorizations) {
    const authorization = await options.client.authorization(url, { signal: options.signal });
    if (authorization.status === "valid") continue;
    await prove(authorization, options);
  }
}

async function prove(authorization: Authorization, options: ObtainOptions): Promise<void> {
  const { client, prover, names, signal, mayGoOn } = options;
  const { name, challenges } = authorization;
  const asked = authorization.isWildcard ? `*.${name}` : name;
  if (!names.includes(asked)) {
    throw new AcmeError("malformed", `the CA wants ${asked} proved, which was not asked for`);
  }
  const challenge = challenges.find(({ type }) => type === prover.type);
  if (challenge === undefined) {
    const offered = challenges.map(({ type }) => type).join(", ") || "none";
    const message = `the CA offers no ${prover.type} for ${asked}, but ${offered}`;
    throw new AcmeError("failed", message);
  }
  const { token } = challenge;
  const proof = { name, token, keyAuthorization: await keyAuthorization(token, client.key) };
  try {
    await prover.show(proof, signal);
    mayGoOn?.();
    // A restart meets challenges that were answered already.
    if (challenge.status === "pending") await client.answerChallenge(challenge.url, { signal });
    await untilProved(authorization, challenge, options);
  } finally {
    await prover.hide(proof);
  }
}

async function untilProved(
  { url, name }: Authorization,
  challenge: Challenge,
  { client, signal, delay = pause }: ObtainOptions,
): Promise<void> {
  for (let attempt = 0;; attempt++) {
    const { status, challenges, retryAfterMs } = await client.authorization(url, { signal });
    if (status === "valid") return;
    if (status !== "pending") {
      const { error } = challenges.find((each) => each.url === challenge.url) ?? {};
      throw error ?? new AcmeError("failed", `the CA has ended the proof of ${name}: ${status}`);
    }
    await delay(pollDelay(attempt, retryAfterMs), signal);
  }
}

/** Waits until an order is in none of these states any more. */
async function settled(
  order: Order,
  states: readonly Order["status"][],
  { client, signal, delay = pause }: ObtainOptions,
): Promise<Order> {
  let now = order;
  for (let attempt = 0; states.includes(now.status); attempt++) {
    await delay(pollDelay(attempt, now.retryAfterMs), signal);
    now = await client.order(order.url, { signal });
  }
  if (now.status === "invalid") throw orderFailed(now);
  return now;
}

function orderFailed({ status, error }: Order): AcmeError {
  return error ?? new AcmeError("failed", `the order is ${status}, and the CA does not say why`);
}

function pollDelay(attempt: number, retryAfterMs: number | undefined): number {
  return Math.min(retryAfterMs ?? POLL_MS * 1.5 ** Math.min(attempt, 10), MAX_POLL_MS);
}

/**
 * Waits as a part of an order.
 *
 * @throws {AcmeError} `cancelled`, if the order is given up before or meanwhile.
 */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await timer(ms, undefined, { signal });
  } catch {
    throw new AcmeError("cancelled", "the order was given up");
  }
}
