/**
 * An honest client over HTTP/2, and how well it is served: the measure for what an attack does to
 * others. It speaks through lib/h2, as `node:http2` does not survive every backend that attackers
 * leave behind.
 *
 * @module
 */
import type { H2Stream } from "../../lib/h2/mod.ts";
import type { TlsPeer } from "./clients.ts";
import { withinDeadline } from "./deadline.ts";
import { attachSession } from "./h2_socket.ts";
import { connectRawTls, HOST } from "./l7.ts";

/** Not that of the attackers: bounds hold for addresses. */
const HONEST_ADDRESS = "127.0.0.77";

/** Until another connection is tried, in milliseconds. */
const CONNECT_MS = 3000;
/** Fewer answers than this say nothing about 19 of 20. */
const LEAST_ANSWERS = 40;
/** While memory is short one of sixteen connections is let in. */
const MAX_ATTEMPTS = 200;

/** How a client was served over some time. */
export interface Service {
  readonly asked: number;
  /** Requests that got no answer, or another than they should. */
  readonly failed: readonly string[];
  /** 19 of 20 answers came within this, in milliseconds. */
  readonly p95: number;
}

/** A connection; one that was refused in the middle of its handshake is not waited for. */
async function connectSoon(port: number): Promise<TlsPeer> {
  const connecting = connectRawTls({ port, alpn: "h2", localAddress: HONEST_ADDRESS });
  try {
    return await withinDeadline(connecting, "an honest client connects", CONNECT_MS);
  } catch (error) {
    connecting.then((late) => late[Symbol.asyncDispose](), () => {});
    throw error;
  }
}

/** One connection that stays open. */
export class HonestClient implements AsyncDisposable {
  readonly #peer: TlsPeer;
  readonly #ask: () => Promise<string>;

  private constructor(peer: TlsPeer) {
    this.#peer = peer;
    this.#ask = asker(peer);
  }

  /** Connects; where new connections are refused now and then, again and again. */
  static async connect(port: number): Promise<HonestClient> {
    for (let attempt = 1;; attempt++) {
      try {
        return new HonestClient(await connectSoon(port));
      } catch (error) {
        if (attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  /** Asks one request after the other for a while, and until there are enough answers to compare. */
  async ask(forMs: number): Promise<Service> {
    const until = performance.now() + forMs;
    const times: number[] = [];
    const failed: string[] = [];
    while (performance.now() < until || times.length < LEAST_ANSWERS) {
      const start = performance.now();
      try {
        const answer = await withinDeadline(this.#ask(), "the answer to an honest client");
        if (answer !== "200 ok") failed.push(answer);
      } catch (error) {
        failed.push(String(error));
      }
      times.push(performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    times.sort((a, b) => a - b);
    return { asked: times.length, failed, p95: times[Math.floor(times.length * 0.95)] ?? Infinity };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}

/** Asks one request after the other for a while, on one connection. */
export async function beHonest(port: number, forMs: number): Promise<Service> {
  await using client = await HonestClient.connect(port);
  return await client.ask(forMs);
}

/** Answers a function that asks and resolves to status and content, or to how it failed. */
function asker(peer: TlsPeer): () => Promise<string> {
  const settle = new Map<H2Stream, (answer: string) => void>();
  const text = new Map<H2Stream, string>();
  const end = (stream: H2Stream, answer = text.get(stream) ?? "") => {
    settle.get(stream)?.(answer);
    settle.delete(stream);
    text.delete(stream);
  };
  const session = attachSession(peer.socket, "client", {
    onResponse(stream, head, endStream) {
      text.set(stream, `${head.status} `);
      if (endStream) end(stream);
    },
    onData(stream, bytes, endStream) {
      text.set(stream, text.get(stream) + new TextDecoder().decode(bytes));
      stream.consume(bytes.length);
      if (endStream) end(stream);
    },
    onTrailers: (stream) => end(stream),
    onReset: (stream, { code, reason }) => end(stream, `reset ${code}: ${reason}`),
  });
  // The proxy may have greeted already.
  session.receive(peer.received, performance.now());
  return () => {
    if (!session.canOpenStream) return Promise.resolve("the connection is over");
    const { promise, resolve } = Promise.withResolvers<string>();
    const head = { method: "GET", scheme: "https", authority: HOST, path: "/", fields: [] };
    settle.set(session.request(head, true), resolve);
    return promise;
  };
}
