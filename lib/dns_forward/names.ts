import type { OctetString } from "../dns/mod.ts";

/** Whether a name is another one or below it; the case of both is folded. */
export function isBelow(key: OctetString, top: OctetString): boolean {
  if (!key.endsWith(top)) return false;
  const start = key.length - top.length;
  let at = 0;
  while (at < start) at += 1 + key.charCodeAt(at);
  return at === start;
}

/** The names above a name, itself first and the root last. */
export function* namesAbove(key: OctetString): Generator<OctetString> {
  for (let at = 0; at < key.length; at += 1 + key.charCodeAt(at)) yield key.slice(at);
}
