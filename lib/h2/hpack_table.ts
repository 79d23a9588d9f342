/** What HPACK adds to the length of name and value for each entry, in octets (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD = 32;

/**
 * The dynamic table of a decoder (RFC 7541 §2.3.2): a ring of decoded strings, so that a repeated
 * field is decoded, checked and turned into a string once.
 */
export class DecoderTable {
  #names: string[] = [];
  #values: string[] = [];
  #tags: number[] = [];
  /** Ring position of the newest entry. */
  #newest = 0;
  #count = 0;
  #size = 0;
  #maxSize: number;

  /** An empty table of at most `maxSize` octets. */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** Entries held. */
  get count(): number {
    return this.#count;
  }

  /** Octets held, by HPACK's count. */
  get size(): number {
    return this.#size;
  }

  /** Octets allowed. */
  get maxSize(): number {
    return this.#maxSize;
  }

  /** Name of the `n`-th newest entry; `n` starts at 0 and must be below `count`. */
  name(n: number): string {
    return this.#names[this.#slot(n)] as string;
  }

  /** Value of the `n`-th newest entry. */
  value(n: number): string {
    return this.#values[this.#slot(n)] as string;
  }

  /** Tag of the `n`-th newest entry. */
  tag(n: number): number {
    return this.#tags[this.#slot(n)] as number;
  }

  /** Adds an entry and evicts old ones; one larger than the table empties it (RFC 7541 §4.4). */
  insert(name: string, value: string, tag: number): void {
    const size = name.length + value.length + ENTRY_OVERHEAD;
    this.#evictTo(this.#maxSize - size);
    if (size > this.#maxSize) return;
    if (this.#count === this.#names.length) this.#grow();
    if (++this.#newest === this.#names.length) this.#newest = 0;
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#tags[this.#newest] = tag;
    this.#count++;
    this.#size += size;
  }

  /** Changes the octets allowed and evicts what no longer fits. */
  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evictTo(maxSize);
  }

  #slot(n: number): number {
    const slot = this.#newest - n;
    return slot < 0 ? slot + this.#names.length : slot;
  }

  #evictTo(size: number): void {
    while (this.#size > size && this.#count > 0) {
      const slot = this.#slot(this.#count - 1);
      this.#size -= (this.#names[slot] as string).length + (this.#values[slot] as string).length +
        ENTRY_OVERHEAD;
      this.#names[slot] = this.#values[slot] = "";
      this.#count--;
    }
  }

  /** The table starts empty and doubles: most connections never fill it. */
  #grow(): void {
    const from = this.#names.length;
    const order = Array.from({ length: from }, (_, i) => this.#slot(from - 1 - i));
    const pad = Array.from({ length: Math.max(from, 16) }, () => "");
    this.#names = [...order.map((slot) => this.#names[slot] as string), ...pad];
    this.#values = [...order.map((slot) => this.#values[slot] as string), ...pad];
    this.#tags = [...order.map((slot) => this.#tags[slot] as number), ...pad.map(() => 0)];
    this.#newest = from === 0 ? this.#names.length - 1 : from - 1;
  }
}
