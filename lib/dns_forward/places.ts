/** How many questions wait at a time, of everybody and of each source. */
export class WaitingPlaces {
  readonly #most: number;
  readonly #mostPerSource: number;
  readonly #sources = new Map<string, number>();
  #taken = 0;

  constructor({ most, mostPerSource }: { readonly most: number; readonly mostPerSource: number }) {
    this.#most = most;
    this.#mostPerSource = mostPerSource;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes a place until it is disposed of; undefined: there is none. */
  take(source: string): Disposable | undefined {
    const own = this.#sources.get(source) ?? 0;
    if (this.#taken >= this.#most || own >= this.#mostPerSource) return undefined;
    this.#taken++;
    this.#sources.set(source, own + 1);
    return { [Symbol.dispose]: () => this.#leave(source) };
  }

  #leave(source: string): void {
    this.#taken--;
    const left = (this.#sources.get(source) ?? 1) - 1;
    if (left === 0) this.#sources.delete(source);
    else this.#sources.set(source, left);
  }
}
