import { parseHostname } from "../addr/mod.ts";

/** `:port`, or nothing. */
const PORT = /^(?::[0-9]{0,5})?$/;

/**
 * The canonical hostname in a `Host` or `:authority`: lower case, without the port and one trailing
 * dot. `undefined` for anything but a hostname with an optional port: user information, an IP
 * address or a list is no name that an SNI could have chosen.
 */
export function hostOfAuthority(authority: string): string | undefined {
  const colon = authority.indexOf(":");
  const host = colon < 0 ? authority : authority.slice(0, colon);
  if (colon >= 0 && !PORT.test(authority.slice(colon))) return undefined;
  const name = parseHostname(host);
  return name.ok ? name.value : undefined;
}
