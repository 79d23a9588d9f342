/**
 * HTTP/1.1 on a TLS connection, octet by octet: what went out, what came back, how it ended. No
 * client library stands in between, so nothing reconnects, repeats or hides.
 *
 * @module
 */
import assert from "node:assert/strict";
import { withinDeadline } from "./deadline.ts";
import { HOST, identity } from "./l7.ts";

/**
 * How the other side stopped: `closed` is a close_notify and a FIN, `cut` a FIN without one, `reset`
 * a RST.
 */
export type WireEnding = "closed" | "cut" | "reset";

/** One answer as it stood on the wire. */
export interface WireAnswer {
  readonly status: number;
  /** First line and fields, without their line ends. */
  readonly lines: readonly string[];
  /** The content, out of its framing. */
  readonly body: string;
}

const ENCODER = new TextEncoder();

/** A TLS connection that agreed on `http/1.1`. */
export class Wire implements Disposable {
  readonly #connection: Deno.TlsConn;
  #received = "";
  #octets = 0;
  #ending: WireEnding | undefined;
  #closed = false;

  private constructor(connection: Deno.TlsConn) {
    this.#connection = connection;
  }

  /** Connects to a proxy for {@link HOST}. */
  static async connect({ port }: { readonly port: number }): Promise<Wire> {
    const { ca } = await identity();
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
    tcp.setNoDelay(true);
    const connection = await Deno.startTls(tcp, {
      hostname: HOST,
      caCerts: [ca].flat().map(String),
      alpnProtocols: ["http/1.1"],
    });
    await connection.handshake();
    return new Wire(connection);
  }

  /** Octets that came back so far. */
  get octets(): number {
    return this.#octets;
  }

  /** Sends text, one octet a character, in one piece. */
  async send(text: string | Uint8Array): Promise<void> {
    let rest = typeof text === "string" ? ENCODER.encode(text) : text;
    while (rest.length > 0) rest = rest.subarray(await this.#connection.write(rest));
  }

  /** Sends a close_notify and a FIN; reading goes on. */
  async end(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** Takes the next answer, interim ones too. `isHead`: it has no content. */
  async answer({ isHead = false } = {}): Promise<WireAnswer> {
    const head = await this.#until(
      () => endOf(this.#received, "\r\n\r\n"),
      "the head of an answer",
    );
    const lines = head.slice(0, -4).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(lines[0] ?? "")?.[1]);
    assert.ok(status >= 100, `a status line: ${lines[0]}`);
    const none = isHead || status < 200 || status === 204 || status === 304;
    return { status, lines, body: none ? "" : await this.#content(lines) };
  }

  /** Everything that is left until the other side stops, and how it stopped. */
  async toEnd(ms?: number): Promise<{ readonly text: string; readonly ending: WireEnding }> {
    await withinDeadline(this.#drain(), "the other side stops sending", ms);
    const text = this.#received;
    this.#received = "";
    return { text, ending: this.#ending as WireEnding };
  }

  /** Whether nothing has come that was not taken, and the connection is still open after `ms`. */
  async isQuiet(ms = 50): Promise<boolean> {
    const read = this.#read();
    const quiet = await Promise.race([
      read.then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), ms)),
    ]);
    if (quiet) this.#pending = read;
    return quiet && this.#received === "";
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  #pending: Promise<void> | undefined;

  async #content(lines: readonly string[]): Promise<string> {
    const value = (name: string) =>
      lines.find((line) => line.toLowerCase().startsWith(`${name}:`))?.split(/: */)[1];
    if (value("transfer-encoding") === "chunked") return await this.#chunks();
    const length = Number(value("content-length") ?? NaN);
    if (Number.isNaN(length)) return (await this.toEnd()).text;
    return await this.#until(
      () => this.#received.length >= length ? length : -1,
      `${length} octets of content`,
    );
  }

  async #chunks(): Promise<string> {
    let body = "";
    for (;;) {
      const line = await this.#until(() => endOf(this.#received, "\r\n"), "a chunk's line");
      const size = parseInt(line, 16);
      if (size === 0) {
        await this.#until(() => endOf(`\r\n${this.#received}`, "\r\n\r\n") - 2, "trailers");
        return body;
      }
      const chunk = await this.#until(
        () => this.#received.length >= size + 2 ? size + 2 : -1,
        "a chunk",
      );
      body += chunk.slice(0, -2);
    }
  }

  async #until(find: () => number, what: string): Promise<string> {
    for (;;) {
      const end = find();
      if (end >= 0) {
        const found = this.#received.slice(0, end);
        this.#received = this.#received.slice(end);
        return found;
      }
      if (this.#ending !== undefined) {
        throw new Error(`${what}: got ${JSON.stringify(this.#received)}, then ${this.#ending}`);
      }
      await withinDeadline(this.#read(), what);
    }
  }

  async #drain(): Promise<void> {
    while (this.#ending === undefined) await this.#read();
  }

  /** One read at a time; one that is under way is waited for. */
  #read(): Promise<void> {
    const read = this.#pending ?? this.#readOnce();
    this.#pending = undefined;
    return read;
  }

  async #readOnce(): Promise<void> {
    const buffer = new Uint8Array(65536);
    try {
      const count = await this.#connection.read(buffer);
      if (count === null) this.#ending = "closed";
      else {
        this.#octets += count;
        this.#received += latin1(buffer.subarray(0, count));
      }
    } catch (error) {
      this.#ending = error instanceof Deno.errors.UnexpectedEof ? "cut" : "reset";
    }
  }
}

function endOf(text: string, what: string): number {
  const at = text.indexOf(what);
  return at < 0 ? -1 : at + what.length;
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const octet of bytes) text += String.fromCharCode(octet);
  return text;
}

/** A request of HTTP/1.1 for {@link HOST} as text. */
export function requestText(
  method: string,
  path: string,
  { fields = [], body = "" }: { readonly fields?: readonly string[]; readonly body?: string } = {},
): string {
  const length = body === "" ? [] : [`Content-Length: ${body.length}`];
  return [`${method} ${path} HTTP/1.1`, `Host: ${HOST}`, ...fields, ...length, "", body].join(
    "\r\n",
  );
}
