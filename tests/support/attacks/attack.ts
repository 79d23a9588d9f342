/**
 * What an attack is, and the connections that attackers have: no library, no flow control, no shame.
 *
 * @module
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectSecure, type TLSSocket } from "node:tls";

/** Where an attack goes. */
export interface AttackTarget {
  /** A listener for everybody. */
  readonly port: number;
  /** One at 127.0.0.2 that wants PROXY headers. */
  readonly proxyPort: number;
  /** The name of an l7 route of both. */
  readonly host: string;
  /** The name of an mtls route, if there is one. */
  readonly mtlsHost: string;
}

/** The time an attack has, and what it has done. */
export interface Clock {
  /** It is over. */
  stopped: boolean;
  /** How often the attack was done. */
  done: number;
}

/** Does the attack until the clock has stopped. */
export type Attack = (target: AttackTarget, clock: Clock) => Promise<void>;

/** Connections of attackers that are not closed. */
const opened = new Set<Socket>();

/** Closes the connection when the attacks end, whatever it waits for then. */
export function keep<S extends Socket>(socket: S): S {
  opened.add(socket);
  socket.on("close", () => opened.delete(socket));
  socket.on("error", () => {});
  return socket;
}

/** Closes every connection: one that is not read any more does not end by itself. */
export function leaveAll(): void {
  for (const socket of opened) socket.destroy();
}

/** Opens a TCP connection; nothing if it was refused or cut off, as is an attacker's lot. */
export async function dial(
  port: number,
  { host = "127.0.0.1", localAddress }: { host?: string; localAddress?: string } = {},
): Promise<Socket | undefined> {
  const socket = keep(connect({
    port,
    host,
    ...localAddress !== undefined && { localAddress },
  }));
  await Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => {});
  return socket.destroyed ? undefined : socket;
}

/** A TLS connection over which anything may be sent. */
export class Wire implements AsyncDisposable {
  readonly socket: TLSSocket;
  #wake: () => void = () => {};

  protected constructor(socket: TLSSocket) {
    this.socket = socket;
    for (const event of ["drain", "close", "end"]) socket.on(event, () => this.#wake());
  }

  /** Connects, and reads and forgets what comes. */
  static async dial(target: AttackTarget, alpn: string): Promise<Wire> {
    return new Wire(await dialSecure(target, alpn));
  }

  get gone(): boolean {
    return this.socket.destroyed || this.socket.readableEnded || !this.socket.writable;
  }

  /** Writes, and waits while the proxy does not read. */
  async send(...chunks: (Uint8Array | string)[]): Promise<void> {
    if (this.gone) return;
    const bytes = Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as string, "latin1")));
    if (this.socket.write(bytes)) return void await turn();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    return Promise.resolve();
  }
}

/** A TLS connection that agreed on a protocol, or was refused. */
export async function dialSecure({ port, host }: AttackTarget, alpn: string): Promise<TLSSocket> {
  const socket = keep(connectSecure({
    port,
    host: "127.0.0.1",
    servername: host,
    rejectUnauthorized: false,
    ALPNProtocols: [alpn],
  }));
  await Promise.race([once(socket, "secureConnect"), once(socket, "close")]).catch(() => {});
  socket.resume();
  return socket;
}

/** Repeats `once` on a connection that is opened anew whenever the proxy has closed it. */
export function repeatOver<W extends Wire>(
  open: (target: AttackTarget) => Promise<W>,
  once: (wire: W, clock: Clock, target: AttackTarget) => Promise<number>,
): Attack {
  return async (target, clock) => {
    while (!clock.stopped) {
      await using wire = await open(target);
      if (wire.gone) await pause(10);
      while (!clock.stopped && !wire.gone) {
        // Not added before it is done: others count on meanwhile.
        const times = await once(wire, clock, target);
        clock.done += times;
      }
    }
  };
}

/** Does something `count` times at once, again and again. */
export function crowd(count: number, once: (target: AttackTarget) => Promise<unknown>): Attack {
  return async (target, clock) => {
    await Promise.all(Array.from({ length: count }, async () => {
      while (!clock.stopped) {
        await once(target);
        clock.done++;
      }
    }));
  };
}

/** Opens things, keeps the newest `count` of them, and opens those anew that were closed. */
export function hoard(
  count: number,
  open: (target: AttackTarget, clock: Clock) => Promise<Socket | undefined>,
): Attack {
  return async (target, clock) => {
    const kept: Socket[] = [];
    while (!clock.stopped) {
      const socket = await open(target, clock);
      clock.done++;
      if (socket === undefined) {
        await pause(1);
        continue;
      }
      kept.push(socket);
      if (kept.length > count) kept.shift()?.destroy();
    }
    for (const socket of kept) socket.destroy();
  };
}

/** The next turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Some milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
