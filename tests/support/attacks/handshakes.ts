/**
 * What strangers do before HTTP begins: TLS handshakes, and what is said instead of them.
 *
 * @module
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import { connect as connectSecure } from "node:tls";
import { buildClientHello } from "../hello.ts";
import { recordClientHello } from "../recorded_hello.ts";
import { type Attack, type AttackTarget, crowd, dial, hoard, keep, pause } from "./attack.ts";

/** Connections at one time. */
const CROWD = 40;
/** Handshakes that are left standing. */
const STANDING = 400;

const FOR_NOBODY = buildClientHello({ serverName: "nobody.test" });
/** 60 KiB, as small as records can be cut. */
const IN_SMALL_RECORDS = buildClientHello({
  serverName: "nobody.test",
  padTo: 10_000,
  recordSizes: [1],
});

/** Sends a whole ClientHello and waits for the server's flight. */
async function begin({ port }: AttackTarget, hello: Uint8Array): Promise<Socket | undefined> {
  const socket = await dial(port);
  if (socket === undefined) return undefined;
  socket.write(hello);
  await Promise.race([once(socket, "data"), once(socket, "close")]).catch(() => {});
  return socket.destroyed ? undefined : socket;
}

/** Sends octets, and waits until the proxy has enough of it. */
async function say(port: number, octets: Uint8Array): Promise<void> {
  const socket = await dial(port);
  if (socket === undefined) return;
  socket.write(octets);
  await once(socket.resume(), "close").catch(() => {});
}

/** Sends octets one at a time, each in a segment, as slowly as is useful, on many connections. */
export function trickle(
  dialed: (target: AttackTarget) => Promise<Socket | undefined>,
  octets: Uint8Array,
): Attack {
  return async (target, clock) => {
    await Promise.all(Array.from({ length: CROWD }, async () => {
      while (!clock.stopped) {
        const socket = await dialed(target);
        socket?.setNoDelay(true).resume();
        for (let i = 0; i < octets.length && socket?.writable && !clock.stopped; i++) {
          socket.write(octets.subarray(i, i + 1));
          clock.done++;
          await pause(2);
        }
        socket?.destroy();
      }
    }));
  };
}

/** Each by its name. */
export const HANDSHAKE_ATTACKS: Readonly<Record<string, Attack>> = {
  /** The server has signed, and nobody is there any more: by a FIN, a RST, or both. */
  "handshakes that are left in the middle": async (target, clock) => {
    const hello = await recordClientHello(target.host);
    let turn = 0;
    await crowd(CROWD, async () => {
      const socket = await begin(target, hello);
      if (turn++ % 2 === 0) socket?.resetAndDestroy();
      else socket?.destroy();
    })(target, clock);
  },
  /** The server has signed, and waits. */
  "handshakes that nobody goes on with": async (target, clock) => {
    const hello = await recordClientHello(target.host);
    await hoard(STANDING, () => begin(target, hello))(target, clock);
  },
  "handshakes of mtls without a certificate": crowd(4, async ({ port, mtlsHost }) => {
    const socket = keep(connectSecure({
      port,
      host: "127.0.0.1",
      servername: mtlsHost,
      rejectUnauthorized: false,
    }));
    await once(socket.resume(), "close").catch(() => {});
  }),
  "hellos octet by octet": trickle(
    ({ port }) => dial(port),
    buildClientHello({ serverName: "a.test" }),
  ),
  "hellos in records of one octet": crowd(CROWD, ({ port }) => say(port, IN_SMALL_RECORDS)),
  "names that nobody has": crowd(CROWD, ({ port }) => say(port, FOR_NOBODY)),
  "octets that are not TLS": crowd(
    CROWD,
    ({ port }) => say(port, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")),
  ),
};
