import { sipHash, type SipKey } from "./siphash.ts";

/** Octets of the part that the client makes, and of the part that the server adds (RFC 9018 §3). */
const CLIENT_OCTETS = 8;
const SERVER_OCTETS = 16;
/** What servers of others may have added (RFC 7873 §4). */
const MIN_OPTION = CLIENT_OCTETS + 8;
const MAX_OPTION = CLIENT_OCTETS + 32;
const VERSION = 1;
/** RFC 9018 §4.3: how old a cookie may be, how far ahead, and from when on it is replaced, seconds. */
const MAX_AGE = 3600;
const MAX_AHEAD = 300;
const RENEW_AGE = 1800;

/** What the option of a question says. */
export type CookieCheck =
  /** It has no length that a cookie can have: FORMERR. */
  | { readonly kind: "malformed" }
  /** The client has no cookie of ours, or one that we do not know; `answer` is what it is given. */
  | { readonly kind: "unknown"; readonly answer: Uint8Array }
  /** The client has been at this address lately. */
  | { readonly kind: "valid"; readonly answer: Uint8Array };

/**
 * Checks the COOKIE option of a question and makes the one of the answer (RFC 7873, RFC 9018): servers
 * that share a secret know each other's cookies, whoever wrote them.
 *
 * @param address of the client, 4 or 16 octets.
 */
export function checkCookie(
  option: Uint8Array,
  { address, secret, nowSeconds }: {
    readonly address: Uint8Array;
    readonly secret: SipKey;
    readonly nowSeconds: number;
  },
): CookieCheck {
  const { length } = option;
  if (length !== CLIENT_OCTETS && (length < MIN_OPTION || length > MAX_OPTION)) {
    return { kind: "malformed" };
  }
  const client = option.subarray(0, CLIENT_OCTETS);
  const renewed = () => ({ answer: makeCookie(client, nowSeconds, { address, secret }) });
  if (length !== CLIENT_OCTETS + SERVER_OCTETS || option[CLIENT_OCTETS] !== VERSION) {
    return { kind: "unknown", ...renewed() };
  }
  const view = new DataView(option.buffer, option.byteOffset, length);
  const madeAt = view.getUint32(CLIENT_OCTETS + 4);
  // RFC 1982: the clock of 32 bits comes round in 2106.
  const age = nowSeconds - madeAt | 0;
  if (age > MAX_AGE || age < -MAX_AHEAD) return { kind: "unknown", ...renewed() };
  // The reserved octets are hashed as they came.
  const expected = hashOf(option.subarray(0, CLIENT_OCTETS + 8), { address, secret });
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    difference |= (expected[i] as number) ^ (option[CLIENT_OCTETS + 8 + i] as number);
  }
  if (difference !== 0) return { kind: "unknown", ...renewed() };
  return age > RENEW_AGE ? { kind: "valid", ...renewed() } : { kind: "valid", answer: option };
}

function makeCookie(
  client: Uint8Array,
  nowSeconds: number,
  whose: { readonly address: Uint8Array; readonly secret: SipKey },
): Uint8Array<ArrayBuffer> {
  const cookie = new Uint8Array(CLIENT_OCTETS + SERVER_OCTETS);
  cookie.set(client);
  cookie[CLIENT_OCTETS] = VERSION;
  new DataView(cookie.buffer).setUint32(CLIENT_OCTETS + 4, nowSeconds);
  cookie.set(hashOf(cookie.subarray(0, CLIENT_OCTETS + 8), whose), CLIENT_OCTETS + 8);
  return cookie;
}

/** RFC 9018 §4.4: of the client's part, version, reserved, time and the client's address. */
function hashOf(
  start: Uint8Array,
  { address, secret }: { readonly address: Uint8Array; readonly secret: SipKey },
): Uint8Array {
  const octets = new Uint8Array(start.length + address.length);
  octets.set(start);
  octets.set(address, start.length);
  return sipHash(secret, octets);
}
