/**
 * The traffic of the soak: echoing backends that say who they are, clients that check every octet.
 *
 * @module
 */
import { buildClientHello } from "../support/hello.ts";

/** Octets of a greeting: the name of the backend, padded. */
const GREETING_BYTES = 16;
const MAX_ROUNDS = 12;
const MAX_PAYLOAD = 48 * 1024;
/** Nothing in the soak takes that long but a stream that hangs. */
const STREAM_TIMEOUT_MS = 60_000;

/** A backend that greets with its name and echoes; it can go away and come back. */
export class NamedBackend implements AsyncDisposable {
  readonly #name: string;
  readonly #port: number;
  readonly #connections = new Set<Deno.Conn>();
  #listener: Deno.Listener | undefined;
  #accepting: Promise<void> = Promise.resolve();

  constructor(name: string, port: number) {
    this.#name = name;
    this.#port = port;
    this.up();
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  up(): void {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: this.#port });
    this.#listener = listener;
    this.#accepting = this.#accept(listener);
  }

  /** Refuses connections and cuts those that are open. */
  async down(): Promise<void> {
    this.#listener?.close();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    await this.#accepting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    const served: Promise<void>[] = [];
    try {
      for await (const connection of listener) {
        this.#connections.add(connection);
        served.push(this.#echo(connection));
      }
    } catch {
      // Closed.
    }
    await Promise.all(served);
  }

  async #echo(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(4096);
    try {
      await writeAll(connection, greetingOf(this.#name));
      for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
        await writeAll(connection, buffer.subarray(0, n));
      }
      await connection.closeWrite();
    } catch {
      // Cut, by us or by the other side.
    }
    if (this.#connections.delete(connection)) connection.close();
  }
}

/** How a stream ended. */
export type StreamEnd =
  /** Every octet came back, then a FIN. */
  | "complete"
  /** Reset, refused, or ended before its time: nothing wrong arrived. */
  | "cut"
  /** What must never happen. */
  | { readonly wrong: string };

/**
 * One stream through the proxy: asks for `name`, checks who answers, sends in rounds and checks
 * that exactly what it sent comes back.
 */
export async function runStream(
  port: number,
  name: string,
  random: () => number,
): Promise<StreamEnd> {
  const signal = AbortSignal.timeout(STREAM_TIMEOUT_MS);
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: "127.0.0.1", port, signal });
  } catch {
    return signal.aborted ? { wrong: `${name}: connecting hung` } : "cut";
  }
  const hung = () => connection.close();
  signal.addEventListener("abort", hung);
  try {
    return await exchange(connection, name, random);
  } catch (error) {
    if (signal.aborted) return { wrong: `${name}: the stream hung` };
    return error instanceof WrongOctets ? { wrong: `${name}: ${error.message}` } : "cut";
  } finally {
    signal.removeEventListener("abort", hung);
    if (!signal.aborted) connection.close();
  }
}

class WrongOctets extends Error {}

async function exchange(
  connection: Deno.TcpConn,
  name: string,
  random: () => number,
): Promise<StreamEnd> {
  const hello = buildClientHello({ serverName: name });
  await writeAll(connection, hello);
  if (!await expect(connection, greetingOf(name))) return "cut";
  if (!await expect(connection, hello)) return "cut";
  const rounds = 1 + Math.floor(random() * MAX_ROUNDS);
  for (let round = 0; round < rounds; round++) {
    const payload = new Uint8Array(1 + Math.floor(random() * MAX_PAYLOAD));
    const step = 1 + Math.floor(random() * 250);
    for (let i = 0; i < payload.length; i++) payload[i] = (i * step) & 0xff;
    const [arrived] = await Promise.all([
      expect(connection, payload),
      writeAll(connection, payload),
    ]);
    if (!arrived) return "cut";
    await new Promise((resolve) => setTimeout(resolve, random() * 40));
  }
  await connection.closeWrite();
  const extra = await connection.read(new Uint8Array(1));
  if (extra !== null) throw new WrongOctets("octets that nobody sent");
  return "complete";
}

/** Reads exactly these octets; `false` when the stream ends before. */
async function expect(connection: Deno.Conn, wanted: Uint8Array): Promise<boolean> {
  const buffer = new Uint8Array(wanted.length);
  for (let at = 0; at < wanted.length;) {
    const count = await connection.read(buffer.subarray(at));
    if (count === null) return false;
    for (let i = at; i < at + count; i++) {
      if (buffer[i] !== wanted[i]) throw new WrongOctets(`octet ${i} of ${wanted.length} differs`);
    }
    at += count;
  }
  return true;
}

function greetingOf(name: string): Uint8Array {
  return new TextEncoder().encode(name.padEnd(GREETING_BYTES));
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Connections that do nothing but stay; those that are cut are opened again. */
export class IdleConnections implements AsyncDisposable {
  readonly #connections = new Map<Deno.Conn, Promise<void>>();
  readonly #port: number;
  readonly #name: string;
  #closing = false;

  constructor(port: number, name: string) {
    this.#port = port;
    this.#name = name;
  }

  get open(): number {
    return this.#connections.size;
  }

  /** Opens connections until there are `count`, a few at a time. */
  async fill(count: number): Promise<void> {
    while (this.open < count && !this.#closing) {
      const missing = Math.min(50, count - this.open);
      await Promise.all(Array.from({ length: missing }, () => this.#add()));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    const ended = [...this.#connections.values()];
    for (const connection of this.#connections.keys()) connection.close();
    this.#connections.clear();
    await Promise.all(ended);
  }

  async #add(): Promise<void> {
    let connection: Deno.TcpConn;
    try {
      connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    } catch {
      return; // Tried again by the next fill.
    }
    this.#connections.set(connection, this.#watch(connection));
  }

  async #watch(connection: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(4096);
    try {
      await writeAll(connection, buildClientHello({ serverName: this.#name }));
      while (await connection.read(buffer) !== null);
    } catch {
      // Cut: its worker was killed.
    }
    if (this.#connections.delete(connection)) connection.close();
  }
}
