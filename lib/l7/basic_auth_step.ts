import { Buffer } from "node:buffer";
import { sourceKey } from "../addr/mod.ts";
import type { RateLimiter } from "../firewall/mod.ts";
import type { Fields } from "../http/mod.ts";
import type { Clock } from "../relay/mod.ts";
import type { BasicAuth } from "../state/mod.ts";
import type { Answer } from "./answer.ts";
import { filterFields } from "./fields.ts";
import { errorReply } from "./local_reply.ts";
import type { Passwords } from "./passwords.ts";
import type { Asked, Step } from "./step.ts";

/** Wrong passwords of one client in {@link GUESS_WINDOW_MS}; then it waits. */
export const MAX_GUESSES = 10;
/** In milliseconds. */
export const GUESS_WINDOW_MS = 60_000;
/** Passwords of one client that are looked at at one time. */
const MAX_AT_ONCE = 4;
/** Base64 of a name and a password: longer ones are nobody's. */
const MAX_CREDENTIALS = 1024;

/** A name and a password, as a request has them. */
export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** What the step needs beside the users. */
export interface BasicAuthOptions {
  readonly passwords: Passwords;
  readonly guesses: RateLimiter;
  readonly clock: Clock;
}

/** Who has a name and its password passes (RFC 7617). */
export function basicAuthStep(
  { realm, users, forward }: BasicAuth,
  { passwords, guesses, clock }: BasicAuthOptions,
): Step {
  const hashes = new Map(users.map(({ name, hash }) => [name, hash]));
  const [decoy] = hashes.values();
  const unauthorized = answerOf(401, "no name with its password", [
    "www-authenticate",
    `Basic realm="${realm}", charset="UTF-8"`,
  ]);
  const busy = answerOf(503, "too many passwords to look at", ["retry-after", "1"]);
  const open = new Map<string, number>();
  const pass = ({ exchange }: Asked): undefined => {
    if (!forward) exchange.edit(withoutAuthorization);
  };
  const refuse = ({ connection }: Asked): Answer => {
    guesses.admit(connection.client.ip, clock.wallNow());
    return unauthorized;
  };
  return (asked) => {
    const given = credentialsOf(asked.exchange.head.fields);
    if (given === undefined || decoy === undefined) return unauthorized;
    const hash = hashes.get(given.name);
    if (hash !== undefined && passwords.remembers(hash, given.password)) return pass(asked);
    const { ip } = asked.connection.client;
    const { count, endsInMs } = guesses.look(ip, clock.wallNow());
    const source = sourceKey(ip);
    const atOnce = open.get(source) ?? 0;
    if (count >= MAX_GUESSES || atOnce >= MAX_AT_ONCE) return tooMany(endsInMs);
    open.set(source, atOnce + 1);
    // A name that there is not takes as long as one that there is.
    return passwords.verify(hash ?? decoy, given.password, { isDecoy: hash === undefined })
      .then((verdict) => {
        if (verdict === "busy") return busy;
        return verdict === "right" ? pass(asked) : refuse(asked);
      })
      .finally(() => {
        const left = (open.get(source) ?? 1) - 1;
        if (left === 0) open.delete(source);
        else open.set(source, left);
      });
  };
}

/** The one pair that a request gives; nothing if it gives none, several, or none that can be read. */
export function credentialsOf(fields: Fields): Credentials | undefined {
  let value: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== "authorization") continue;
    if (value !== undefined) return undefined;
    value = fields[i + 1];
  }
  const found = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value ?? "");
  if (found === null || (found[1] ?? "").length > MAX_CREDENTIALS) return undefined;
  const text = decode(found[1] ?? "");
  const colon = text?.indexOf(":") ?? -1;
  if (text === undefined || colon < 0) return undefined;
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

function decode(base64: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(Buffer.from(base64, "base64"));
  } catch {
    return undefined;
  }
}

function withoutAuthorization(fields: Fields): Fields {
  return filterFields(fields, (name) => name !== "authorization");
}

function tooMany(endsInMs: number): Answer {
  const seconds = Math.max(1, Math.ceil(endsInMs / 1000));
  return answerOf(429, "too many wrong passwords", ["retry-after", String(seconds)]);
}

function answerOf(status: number, reason: string, more: readonly string[]): Answer {
  return { status, reason, reply: errorReply(...more) };
}
