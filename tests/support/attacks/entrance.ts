/**
 * What strangers do at the entrance: PROXY headers, and connections that are only there.
 *
 * @module
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import { buildClientHello } from "../hello.ts";
import { buildV2Header, proxyV1, tlv } from "../proxy_header.ts";
import { type Attack, type AttackTarget, crowd, dial, hoard } from "./attack.ts";
import { trickle } from "./handshakes.ts";

/** Connections at one time. */
const CROWD = 40;
/** A source that the firewall blocks. */
export const BLOCKED_ADDRESS = "127.0.0.66";
/** Sources of a crowd that is too much together: 127.0.1.1 and on. */
const SOURCES = 20;

const HELLO = buildClientHello({ serverName: "nobody.test" });

/** Connects, sends, and waits for the end. */
async function knock(opened: Promise<Socket | undefined>, octets: Uint8Array): Promise<void> {
  const socket = await opened;
  if (socket === undefined) return;
  if (octets.length > 0) socket.write(octets);
  await once(socket.resume(), "close").catch(() => {});
}

function dialProxyListener({ proxyPort }: AttackTarget): Promise<Socket | undefined> {
  return dial(proxyPort, { host: "127.0.0.2" });
}

/** Each by its name. */
export const ENTRANCE_ATTACKS: Readonly<Record<string, Attack>> = {
  "connections of a blocked address": crowd(
    CROWD,
    ({ port }) => knock(dial(port, { localAddress: BLOCKED_ADDRESS }), new Uint8Array(0)),
  ),
  "PROXY headers octet by octet": trickle(
    dialProxyListener,
    buildV2Header({ rest: [tlv(4, new Uint8Array(300))] }),
  ),
  "PROXY headers without end": crowd(
    CROWD,
    (target) =>
      knock(dialProxyListener(target), new TextEncoder().encode(`PROXY TCP4 ${"1".repeat(4000)}`)),
  ),
  "PROXY headers of 64 KiB": crowd(
    CROWD,
    (target) =>
      knock(dialProxyListener(target), buildV2Header({ rest: [tlv(4, new Uint8Array(65_000))] })),
  ),
};

let serial = 0;

/** For a proxy that limits what one source may have. */
export const SOURCE_ATTACKS: Readonly<Record<string, Attack>> = {
  "connections that one source hoards": hoard(
    1000,
    ({ port }) => dial(port, { localAddress: "127.0.0.98" }),
  ),
  /** Every connection out of another /64 of one /48. */
  "addresses without end out of one IPv6 prefix": crowd(CROWD, (target) => {
    const source = `2001:db8:7:${(serial++ & 0xffff).toString(16)}::1`;
    return knock(dialProxyListener(target), Buffer.concat([proxyV1(source, "2001:db8::1"), HELLO]));
  }),
  "connections that take every descriptor": hoard(
    1000,
    ({ port }) => dial(port, { localAddress: `127.0.1.${1 + serial++ % SOURCES}` }),
  ),
};

/** For a proxy whose memory is short. */
export const MEMORY_ATTACKS: Readonly<Record<string, Attack>> = {
  "connections while memory is short": crowd(CROWD, ({ port }) => knock(dial(port), HELLO)),
};
