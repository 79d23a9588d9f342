/** A key that a {@link SpaceSaving} watches. */
export interface Watched<K> {
  readonly key: K;
  /** Never less than the key's true weight since the sketch was cleared. */
  readonly count: number;
  /** How much of `count` may belong to keys that were watched before it. */
  readonly error: number;
}

/**
 * The heaviest keys of a stream in fixed memory (Metwally, Agrawal and El Abbadi, "Efficient
 * computation of frequent and top-k elements in data streams", 2005). Of a total weight N over k
 * places, each key heavier than N/k is watched, and no error is more than N/k. A sample would be
 * cheaper and would miss whoever is just below its rate; exact counts grow with the attack.
 *
 * Nothing is ordered before the places are full: a proxy that few clients come to pays for one look
 * into a map.
 *
 * @example
 * ```ts
 * import { SpaceSaving } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const sketch = new SpaceSaving<string>(2);
 * for (const key of ["a", "b", "a", "c"]) sketch.add(key, 1);
 * assert.deepEqual(sketch.entries(), [
 *   { key: "a", count: 2, error: 0 },
 *   { key: "c", count: 2, error: 1 },
 * ]);
 * assert.equal(sketch.total, 4);
 * ```
 */
export class SpaceSaving<K extends string | number> {
  readonly #places: number;
  readonly #keys: K[] = [];
  readonly #counts: Float64Array;
  readonly #errors: Float64Array;
  readonly #placeOf = new Map<K, number>();
  /** Places as a heap with the lightest on top, since they are full; and where in it each is. */
  readonly #heap: Int32Array;
  readonly #heapIndex: Int32Array;
  #isOrdered = false;
  #total = 0;

  /** @param places How many keys to watch at once. */
  constructor(places: number) {
    this.#places = places;
    this.#counts = new Float64Array(places);
    this.#errors = new Float64Array(places);
    this.#heap = new Int32Array(places);
    this.#heapIndex = new Int32Array(places);
  }

  /** The weight of everything added. */
  get total(): number {
    return this.#total;
  }

  /** At most how heavy a key is that is not watched. */
  get missed(): number {
    return this.#keys.length < this.#places ? 0 : this.#counts[this.#lightest()] as number;
  }

  /** Adds to the weight of a key. */
  add(key: K, weight: number): void {
    this.#total += weight;
    const place = this.#placeOf.get(key);
    if (place !== undefined) {
      this.#counts[place] = (this.#counts[place] as number) + weight;
      if (this.#isOrdered) this.#sink(this.#heapIndex[place] as number);
    } else if (this.#keys.length < this.#places) {
      this.#placeOf.set(key, this.#keys.length);
      this.#counts[this.#keys.length] = weight;
      this.#errors[this.#keys.length] = 0;
      this.#keys.push(key);
    } else this.#replace(key, weight);
  }

  /** The watched keys, in no order. */
  entries(): Watched<K>[] {
    return this.#keys.map((key, place) => {
      return { key, count: this.#counts[place] ?? 0, error: this.#errors[place] ?? 0 };
    });
  }

  /** Forgets everything. */
  clear(): void {
    this.#keys.length = 0;
    this.#placeOf.clear();
    this.#isOrdered = false;
    this.#total = 0;
  }

  /** The new key takes the lightest one's place, and its count for an error. */
  #replace(key: K, weight: number): void {
    const place = this.#lightest();
    const count = this.#counts[place] as number;
    this.#placeOf.delete(this.#keys[place] as K);
    this.#placeOf.set(key, place);
    this.#keys[place] = key;
    this.#errors[place] = count;
    this.#counts[place] = count + weight;
    this.#sink(0);
  }

  #lightest(): number {
    if (!this.#isOrdered) this.#order();
    return this.#heap[0] as number;
  }

  #order(): void {
    for (let i = 0; i < this.#places; i++) this.#heap[i] = this.#heapIndex[i] = i;
    this.#isOrdered = true;
    for (let i = (this.#places >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  /** Counts only grow: a place that has changed moves away from the top. */
  #sink(index: number): void {
    const heap = this.#heap;
    const counts = this.#counts;
    const place = heap[index] as number;
    const count = counts[place] as number;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= this.#places) break;
      const other = child + 1;
      if (
        other < this.#places &&
        (counts[heap[other] as number] as number) < (counts[heap[child] as number] as number)
      ) child = other;
      const lower = heap[child] as number;
      if ((counts[lower] as number) >= count) break;
      heap[index] = lower;
      this.#heapIndex[lower] = index;
      index = child;
    }
    heap[index] = place;
    this.#heapIndex[place] = index;
  }
}
