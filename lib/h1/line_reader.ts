const CR = 0x0d;
const LF = 0x0a;
/** Room for a line that comes in pieces, in octets, at first; it doubles. */
const FIRST_ROOM = 256;
const NOTHING = new Uint8Array(0);

/** What {@link LineReader.read} found. */
export type LineResult = "need" | "line" | "bare-lf" | "too-long";

/**
 * Cuts octets that come in any pieces into lines that end in CR LF. A line that lies in one piece
 * is not copied; each octet is looked at once and copied at most twice.
 */
export class LineReader {
  /** Where the last line lies, without its CR LF; valid until the next call. */
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;
  /** Index in the piece after what was taken. */
  next = 0;
  /** The beginning of a line whose end has not come. */
  #part: Uint8Array = NOTHING;
  #partLength = 0;

  /** Octets of an unfinished line. */
  get pending(): number {
    return this.#partLength;
  }

  /**
   * Takes the next line from `piece` at `at`. `limit`: octets that the line may have with its CR LF.
   * RFC 9112 §2.2 lets a recipient take a bare LF; two hops that differ on it see two messages.
   */
  read(piece: Uint8Array, at: number, limit: number): LineResult {
    const lf = piece.indexOf(LF, at);
    const end = lf < 0 ? piece.length : lf + 1;
    if (this.#partLength + end - at > limit) {
      this.next = end;
      return "too-long";
    }
    this.next = end;
    if (lf < 0) {
      this.#keep(piece, at, end);
      return "need";
    }
    if (this.#partLength === 0) {
      this.bytes = piece;
      this.start = at;
      this.end = end - 2;
    } else {
      this.#keep(piece, at, end);
      this.bytes = this.#part;
      this.start = 0;
      this.end = this.#partLength - 2;
      this.#partLength = 0;
      // What is still needed of it is in `bytes`; an idle connection holds no buffer.
      this.#part = NOTHING;
    }
    return this.end >= this.start && this.bytes[this.end] === CR ? "line" : "bare-lf";
  }

  #keep(piece: Uint8Array, at: number, end: number): void {
    const length = this.#partLength + end - at;
    if (this.#part.length < length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#part.length, FIRST_ROOM));
      larger.set(this.#part.subarray(0, this.#partLength));
      this.#part = larger;
    }
    this.#part.set(piece.subarray(at, end), this.#partLength);
    this.#partLength = length;
  }
}
