import net from "node:net";
import { buildClientHello } from "../../tests/support/hello.ts";
import { BLOCKED_SOURCE } from "./target.ts";

/** What one run of a load did. */
export interface LoadResult {
  /** Connections, round trips or megabytes, depending on the load. */
  readonly operations: number;
  readonly seconds: number;
  readonly errors: number;
}

/** A load against the proxy on `port` for about `seconds`. */
export type Load = (port: number, seconds: number) => Promise<LoadResult>;

const hostname = "127.0.0.1";
const ECHO = buildClientHello({ serverName: "echo.test", padTo: 517 });
const BULK = buildClientHello({ serverName: "bulk.test", padTo: 517 });
const PING = new Uint8Array(64);
const AT_ONCE = 50;
const BULK_AT_ONCE = 4;

/** Runs `step` in `count` loops until the time is over; a step returns what it has done. */
export async function inParallel(
  count: number,
  seconds: number,
  step: (lane: number) => Promise<number>,
): Promise<LoadResult> {
  const start = performance.now();
  const end = start + seconds * 1000;
  let operations = 0;
  let errors = 0;
  await Promise.all(Array.from({ length: count }, async (_, lane) => {
    while (performance.now() < end) {
      try {
        const done = await step(lane); // Apart: "+= await" would read the sum before waiting.
        operations += done;
      } catch {
        errors++;
      }
    }
  }));
  return { operations, errors, seconds: (performance.now() - start) / 1000 };
}

/** New connections: connect, hello, 64 octets back, close. */
export const newConnections: Load = (port, seconds) => {
  const buffers = Array.from({ length: AT_ONCE }, () => new Uint8Array(2048));
  return inParallel(AT_ONCE, seconds, async (lane) => {
    using conn = await Deno.connect({ hostname, port });
    await conn.write(ECHO);
    if (await conn.read(buffers[lane] as Uint8Array) === null) throw new Error("no answer");
    return 1;
  });
};

/** So many of {@link newConnections}, whatever time they take; how many of them failed. */
export async function connections(port: number, count: number): Promise<{ errors: number }> {
  let left = count;
  let errors = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    const buffer = new Uint8Array(2048);
    while (left-- > 0) {
      try {
        using conn = await Deno.connect({ hostname, port });
        await conn.write(ECHO);
        if (await conn.read(buffer) === null) errors++;
      } catch {
        errors++;
      }
    }
  }));
  return { errors };
}

/** Round trips of 64 octets on 50 open connections. */
export const pingPong: Load = async (port, seconds) => {
  const conns = await Promise.all(
    Array.from({ length: AT_ONCE }, () => Deno.connect({ hostname, port })),
  );
  const buffers = conns.map(() => new Uint8Array(2048));
  try {
    for (const conn of conns) {
      conn.setNoDelay();
      await conn.write(ECHO);
    }
    await Promise.all(conns.map((conn, lane) => conn.read(buffers[lane] as Uint8Array)));
    return await inParallel(AT_ONCE, seconds, async (lane) => {
      const conn = conns[lane] as Deno.TcpConn;
      await conn.write(PING);
      if (await conn.read(buffers[lane] as Uint8Array) === null) throw new Error("no answer");
      return 1;
    });
  } finally {
    for (const conn of conns) conn.close();
  }
};

/** Megabytes downloaded over four connections. */
export const bulk: Load = async (port, seconds) => {
  const conns = await Promise.all(
    Array.from({ length: BULK_AT_ONCE }, () => Deno.connect({ hostname, port })),
  );
  const buffers = conns.map(() => new Uint8Array(1024 * 1024));
  try {
    for (const conn of conns) await conn.write(BULK);
    return await inParallel(BULK_AT_ONCE, seconds, async (lane) => {
      const count = await (conns[lane] as Deno.TcpConn).read(buffers[lane] as Uint8Array);
      if (count === null) throw new Error("ended");
      return count / 1e6;
    });
  } finally {
    for (const conn of conns) conn.close();
  }
};

/** Connections from 127.0.0.2, which the firewall blocks: an operation is a RST. */
export const blocked: Load = (port, seconds) =>
  inParallel(AT_ONCE, seconds, () =>
    new Promise((resolve) => {
      const socket = net.connect({ host: hostname, port, localAddress: BLOCKED_SOURCE });
      socket.on("error", () => {});
      socket.on("close", () => resolve(1));
    }));

/** Opens `count` connections that are relayed and silent; the function closes them. */
export async function openIdle(port: number, count: number): Promise<() => void> {
  const conns: Deno.TcpConn[] = [];
  const buffer = new Uint8Array(2048);
  for (let i = 0; i < count; i++) {
    const conn = await Deno.connect({ hostname, port });
    conns.push(conn);
    await conn.write(ECHO);
    if (await conn.read(buffer) === null) throw new Error("no answer");
  }
  return () => conns.forEach((conn) => conn.close());
}
