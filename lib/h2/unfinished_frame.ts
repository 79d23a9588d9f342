/** A frame may come octet by octet, but not for ever: since when the one that is being read does. */
export class UnfinishedFrame {
  /** On the owner's clock; -1: none is unfinished. */
  since = -1;
  /** How many were read before it. */
  #before = 0;

  /** Octets were read. */
  note(reader: { readonly unfinished: boolean; readonly frames: number }, now: number): void {
    if (!reader.unfinished) {
      this.since = -1;
    } else if (this.since < 0 || reader.frames !== this.#before) {
      this.since = now;
      this.#before = reader.frames;
    }
  }
}
