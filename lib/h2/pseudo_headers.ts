/** The pseudo-headers we send (RFC 9113 §8.3), as alternating names and values. */
import type { Fields, RequestInit } from "../http/mod.ts";

/** Made once for each status: a response needs no array of its own for it. */
const BY_STATUS: readonly Fields[] = Array.from(
  { length: 600 },
  (_, status) => Object.freeze([":status", String(status)]),
);

/** Those of a response. */
export function statusPseudo(status: number): Fields {
  return BY_STATUS[status] ?? [":status", String(status)];
}

/** Those of a request; empty ones are left out. */
export function requestPseudo(head: RequestInit): Fields {
  const pseudo = [":method", head.method];
  if (head.scheme !== "") pseudo.push(":scheme", head.scheme);
  if (head.authority !== "") pseudo.push(":authority", head.authority);
  if (head.path !== "") pseudo.push(":path", head.path);
  if (head.protocol !== undefined && head.protocol !== "") pseudo.push(":protocol", head.protocol);
  return pseudo;
}
