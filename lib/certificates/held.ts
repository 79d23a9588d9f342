/**
 * What the store holds of one source. What was usable stays in use until something else that is
 * usable takes its place: a renewal writes two files, and between the two they do not belong together.
 */
export interface Held<T> {
  /** What is in use; the same object until other content takes its place. */
  readonly value: T | undefined;
  /** Why what is there now is not in use. */
  readonly problem?: string;
}

/** One source, judged anew when what was read of it has changed. */
export class Holder<T extends object> {
  #inputs: readonly Uint8Array[] | undefined;
  #held: Held<T> = { value: undefined };

  get held(): Held<T> {
    return this.#held;
  }

  /** Takes what `judge` makes of the octets, unless it has judged them already. */
  take(
    inputs: readonly Uint8Array[],
    judge: (inputs: readonly Uint8Array[]) => T | string,
  ): Held<T> {
    const before = this.#inputs;
    if (before?.length === inputs.length && inputs.every((input, i) => input === before[i])) {
      return this.#held;
    }
    this.#inputs = inputs;
    const judged = judge(inputs);
    return typeof judged === "string" ? this.#keep(judged) : this.replace(judged);
  }

  /** It could not be read: what was in use stays so. */
  refuse(problem: string): Held<T> {
    this.#inputs = undefined;
    return this.#keep(problem);
  }

  /** Uses a value whatever is there. */
  replace(value: T): Held<T> {
    return this.#held = { value };
  }

  #keep(problem: string): Held<T> {
    return this.#held = { value: this.#held.value, problem };
  }
}
