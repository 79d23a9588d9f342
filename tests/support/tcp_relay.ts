/**
 * A TCP relay between a client and a server of a test's own, which can be slow, fall silent or cut.
 *
 * @module
 */

/** How long the relay keeps each piece while it is slow. */
const SLOW_MS = 20;

/** A relay on `127.0.0.1` and a free port. */
export class TcpRelay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #target: { readonly hostname: string; readonly port: number };
  readonly #open = new Set<Deno.Conn>();
  readonly #serving: Promise<void>;
  #trap: Trap | undefined;
  #mode: "fast" | "slow" | "silent" | "refusing" = "fast";

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = { hostname: target.host, port: target.port };
    this.#serving = this.#serve();
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  /** `silent` drops what comes, `refusing` ends connections and takes no more. */
  set mode(mode: "fast" | "slow" | "silent" | "refusing") {
    this.#mode = mode;
    if (mode === "refusing") this.cut();
  }

  /**
   * Falls silent when a client says this: what it says then is dropped, too (`request`), or comes
   * through and is never answered (`answer`). Resolves when it has said it.
   */
  async silenceAt(text: string, what: "request" | "answer"): Promise<void> {
    const said = Promise.withResolvers<void>();
    this.#trap = { text: new TextEncoder().encode(text), what, said: said.resolve };
    await said.promise;
  }

  /** Leads new connections elsewhere, and ends those that there are. */
  leadTo({ host, port }: { readonly host: string; readonly port: number }): void {
    this.#target = { hostname: host, port };
    this.cut();
  }

  /** Ends every connection. */
  cut(): void {
    for (const connection of this.#open) close(connection);
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const pairs: Promise<unknown>[] = [];
    try {
      for await (const client of this.#listener) pairs.push(this.#relay(client));
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    this.cut();
    await Promise.all(pairs);
  }

  async #relay(client: Deno.Conn): Promise<void> {
    this.#open.add(client);
    if (this.#mode === "refusing") return close(client);
    const server = await Deno.connect(this.#target).catch(() => undefined);
    if (server === undefined) return close(client);
    this.#open.add(server);
    if (!this.#open.has(client)) close(server); // It was cut meanwhile.
    const heard = (chunk: Uint8Array) => this.#spring(chunk);
    await Promise.all([this.#pump(client, server, heard), this.#pump(server, client)]);
    this.#open.delete(client);
    this.#open.delete(server);
  }

  /** Whether this chunk still comes through. */
  #spring(chunk: Uint8Array): boolean {
    const trap = this.#trap;
    if (trap === undefined || !includes(chunk, trap.text)) return false;
    this.#trap = undefined;
    this.#mode = "silent";
    trap.said();
    return trap.what === "answer";
  }

  async #pump(
    from: Deno.Conn,
    to: Deno.Conn,
    heard: (chunk: Uint8Array) => boolean = () => false,
  ): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (let read; (read = await from.read(buffer)) !== null;) {
        const isThrough = heard(buffer.subarray(0, read));
        if (this.#mode === "silent" && !isThrough) continue;
        if (this.#mode === "slow") await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
        const chunk = buffer.slice(0, read);
        for (let at = 0; at < chunk.length;) at += await to.write(chunk.subarray(at));
      }
    } catch {
      // The other end is gone, or we have cut it.
    } finally {
      close(from);
      close(to);
    }
  }
}

/** When to fall silent. */
interface Trap {
  readonly text: Uint8Array;
  readonly what: "request" | "answer";
  readonly said: () => void;
}

function includes(octets: Uint8Array, text: Uint8Array): boolean {
  for (let at = octets.indexOf(text[0] ?? 0); at >= 0; at = octets.indexOf(text[0] ?? 0, at + 1)) {
    if (text.every((octet, i) => octets[at + i] === octet)) return true;
  }
  return false;
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
