/** Before each message over TCP (RFC 1035 §4.2.2). */
const PREFIX_OCTETS = 2;
/** What a connection keeps that waits: most questions are shorter. */
const KEPT_OCTETS = 512;

/**
 * Takes a stream of messages apart, each behind its length, wherever it was cut. Octets that come one
 * by one are not copied again for each.
 */
export class MessageFrames {
  #buffer = new Uint8Array();
  #start = 0;
  #end = 0;

  /** Octets that no message was made of yet. */
  get pending(): number {
    return this.#end - this.#start;
  }

  /** Whether {@link next} would give one. */
  get hasNext(): boolean {
    return this.pending >= PREFIX_OCTETS && this.#endOfNext <= this.#end;
  }

  get #endOfNext(): number {
    const at = this.#start;
    return at + PREFIX_OCTETS +
      ((this.#buffer[at] as number) << 8 | (this.#buffer[at + 1] as number));
  }

  /** Adds octets that were read; messages that {@link next} gave are not valid any more. */
  push(octets: Uint8Array): void {
    const { pending } = this;
    const needed = pending + octets.length;
    if (this.#end + octets.length > this.#buffer.length) {
      const room = needed > this.#buffer.length
        ? new Uint8Array(Math.max(KEPT_OCTETS, 2 * needed))
        : this.#buffer;
      room.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = room;
      [this.#start, this.#end] = [0, pending];
    }
    this.#buffer.set(octets, this.#end);
    this.#end += octets.length;
  }

  /** The next message that is whole; valid until {@link push} is called. */
  next(): Uint8Array | undefined {
    if (!this.hasNext) return this.#forget();
    const start = this.#start + PREFIX_OCTETS;
    this.#start = this.#endOfNext;
    return this.#buffer.subarray(start, this.#start);
  }

  /** Gives memory back that a long message took. */
  #forget(): undefined {
    if (this.pending === 0 && this.#buffer.length > KEPT_OCTETS) this.#buffer = new Uint8Array();
    if (this.pending === 0) this.#start = this.#end = 0;
  }
}

/** Messages, each behind its length, for one write. */
export function framed(messages: readonly Uint8Array[]): Uint8Array {
  const length = messages.reduce((sum, { length }) => sum + PREFIX_OCTETS + length, 0);
  const frames = new Uint8Array(length);
  let at = 0;
  for (const message of messages) {
    frames[at] = message.length >> 8;
    frames[at + 1] = message.length & 0xff;
    frames.set(message, at + PREFIX_OCTETS);
    at += PREFIX_OCTETS + message.length;
  }
  return frames;
}
