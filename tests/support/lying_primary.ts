/**
 * A primary that says what it is told to: any serial over UDP, any octets over TCP, ended in any way.
 *
 * @module
 */
import { answerCode, parseMessage } from "../../lib/dns/mod.ts";
import { readFramed } from "../../lib/dns_client/mod.ts";
import { readTransferQuery, transferMessages } from "../../lib/transfer/mod.ts";
import { AuthoritativeAnswers, type Zone, ZoneTable } from "../../lib/zones/mod.ts";
import { unusedPort } from "./ports.ts";
import { frame } from "./served_zones.ts";

/** Writes to whoever asks for the zone; the connection ends when it resolves. */
export type Lie = (
  connection: Deno.TcpConn,
  asked: { readonly id: number; readonly octets: Uint8Array },
) => Promise<void>;

/** A server that answers with a zone, and transfers as it is told to. */
export class LyingPrimary implements AsyncDisposable {
  readonly port: number;
  zone: Zone;
  lie: Lie;
  readonly #udp: Deno.DatagramConn;
  readonly #tcp: Deno.TcpListener;
  readonly #done: Promise<unknown>;

  private constructor(zone: Zone, lie: Lie, port: number) {
    this.zone = zone;
    this.lie = lie;
    this.port = port;
    this.#udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
    this.#tcp = Deno.listen({ hostname: "127.0.0.1", port });
    this.#done = Promise.allSettled([this.#answer(), this.#transfer()]);
  }

  static async start(zone: Zone, lie: Lie): Promise<LyingPrimary> {
    return new LyingPrimary(zone, lie, await unusedPort());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#udp.close();
    this.#tcp.close();
    await this.#done;
  }

  async #answer(): Promise<void> {
    const answers = new AuthoritativeAnswers();
    for await (const [octets, from] of this.#udp) {
      const zones = new ZoneTable([this.zone]);
      const answer = answers.answer(octets, { zones, transport: "udp" });
      await this.#udp.send(answer ?? answerCode(octets, 2), from);
    }
  }

  async #transfer(): Promise<void> {
    const open: Promise<void>[] = [];
    for await (const connection of this.#tcp) open.push(this.#lieTo(connection));
    await Promise.all(open);
  }

  async #lieTo(connection: Deno.TcpConn): Promise<void> {
    try {
      const octets = await readFramed(connection);
      if (typeof octets === "string") return;
      const id = (octets[0] as number) << 8 | (octets[1] as number);
      await this.lie(connection, { id, octets });
    } catch {
      // The other side has gone.
    } finally {
      connection.close();
    }
  }
}

/** The honest answer to a question for a zone, as it goes over TCP. */
export function wholeTransfer(zone: Zone, octets: Uint8Array): Uint8Array {
  const message = parseMessage(octets);
  const query = message.ok ? readTransferQuery(message.value, octets) : undefined;
  if (query === undefined || query === "malformed") throw new TypeError("no question for a zone");
  const parts = [...transferMessages({ ...query, serial: undefined }, { zone, transport: "tcp" })];
  return Uint8Array.from(parts.flatMap((part) => [...frame(part)]));
}
