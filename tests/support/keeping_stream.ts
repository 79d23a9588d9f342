import { MessageFrames } from "../../lib/dns_server/frames.ts";
import { FakeStream } from "./fake_stream.ts";

/** A stream that keeps what was written to it, and reads it as DNS messages behind their lengths. */
export class KeepingStream extends FakeStream {
  readonly #kept: Uint8Array[] = [];

  override write(bytes: Uint8Array): boolean {
    this.#kept.push(bytes.slice());
    return super.write(bytes);
  }

  /** All messages so far; throws if there is a part of one. */
  messages(): Uint8Array[] {
    const frames = new MessageFrames();
    for (const octets of this.#kept) frames.push(octets);
    const found: Uint8Array[] = [];
    for (let own = frames.next(); own !== undefined; own = frames.next()) found.push(own.slice());
    if (frames.pending > 0) throw new TypeError(`${frames.pending} octets of a message`);
    return found;
  }
}
