/**
 * What strangers do before HTTP begins, each a loop until it is told to stop.
 *
 * @module
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Attack, AttackTarget } from "./attacks.ts";
import { recordClientHello } from "./recorded_hello.ts";

/** Connections at one time. */
const CROWD = 40;
/** Handshakes that are left standing. */
const STANDING = 400;

/** Sends a whole ClientHello and waits for the server's flight. */
async function begin({ port }: AttackTarget, hello: Uint8Array): Promise<Socket | undefined> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  await Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => {});
  if (socket.destroyed) return undefined;
  socket.write(hello);
  await Promise.race([once(socket, "data"), once(socket, "close")]).catch(() => {});
  return socket.destroyed ? undefined : socket;
}

/** Handshakes, for attacks of {@link Attack}'s kind. */
export const HANDSHAKE_ATTACKS: Readonly<Record<string, Attack>> = {
  /** The server has signed, and nobody is there any more: by a FIN, a RST, or both. */
  "handshakes that are left in the middle": async (target, clock) => {
    const hello = await recordClientHello(target.host);
    const leave = async (turn: number) => {
      const socket = await begin(target, hello);
      if (socket === undefined) return;
      if (turn % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
      clock.done++;
    };
    await Promise.all(Array.from({ length: CROWD }, async (_, turn) => {
      while (!clock.stopped) await leave(turn);
    }));
  },
  /** The server has signed, and waits. */
  "handshakes that nobody goes on with": async (target, clock) => {
    const hello = await recordClientHello(target.host);
    const standing: Socket[] = [];
    while (!clock.stopped) {
      const socket = await begin(target, hello);
      if (socket === undefined) continue;
      standing.push(socket);
      clock.done++;
      if (standing.length > STANDING) standing.shift()?.destroy();
    }
    for (const socket of standing) socket.destroy();
  },
};
