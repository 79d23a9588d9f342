/**
 * A stand-in for systemd: a datagram socket that keeps what it is told.
 *
 * @module
 */
import { eventually } from "./deadline.ts";

/** The receiving end of sd_notify(3). */
export class NotifySocket implements Disposable {
  /** Every datagram so far, as its lines. */
  readonly messages: string[][] = [];
  readonly #socket: Deno.DatagramConn;

  /** @param path A path that does not exist, or `\0` and an abstract name. */
  constructor(path: string) {
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path });
    this.#receive().catch(() => {}); // Ends when the socket is closed.
  }

  /** Every line of every datagram. */
  get lines(): string[] {
    return this.messages.flat();
  }

  /** Waits until `count` datagrams have held `line`. */
  async line(line: string, count = 1): Promise<void> {
    await eventually(
      () => this.lines.filter((each) => each === line).length >= count,
      `systemd hears ${line} ${count} times`,
    );
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  async #receive(): Promise<void> {
    for await (const [bytes] of this.#socket) {
      this.messages.push(new TextDecoder().decode(bytes).split("\n"));
    }
  }
}
