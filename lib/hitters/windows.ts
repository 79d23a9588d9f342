import { SpaceSaving } from "./space_saving.ts";
import { HITTER_WEIGHTS, type HitterCount, type HitterGroup, type HitterWeight } from "./count.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Keys that are watched in each span of time, per group and weight. */
const SPAN_PLACES = 256;

/**
 * The windows that can be asked for, and the spans each is made of. The span under way comes on top,
 * so an answer is about as much as a span more than was asked for, never less.
 */
const WINDOWS = [
  { windowMs: MINUTE, spanMs: 10 * SECOND },
  { windowMs: 10 * MINUTE, spanMs: MINUTE },
  { windowMs: 60 * MINUTE, spanMs: 5 * MINUTE },
] as const;

/** The windows that can be asked for, in milliseconds. */
export const HITTER_WINDOWS: readonly number[] = WINDOWS.map(({ windowMs }) => windowMs);

/** One of the heaviest; everything in it is known to be true at least. */
export interface Hitter {
  readonly key: string;
  readonly connections: number;
  readonly refused: number;
  readonly bytes: number;
  /** How much more it may have been, of what was asked for. */
  readonly uncertainty: number;
}

/** What is asked. */
export interface HitterQuestion {
  readonly group: HitterGroup;
  readonly by: HitterWeight;
  /** One of {@link HITTER_WINDOWS}. */
  readonly windowMs: number;
  readonly limit: number;
}

/** The heaviest, the heaviest first. */
export interface HitterAnswer {
  readonly hitters: readonly Hitter[];
  /** All of the group together, of what was asked for. */
  readonly total: number;
}

/** What a span of time adds up to, for one group and weight. */
interface Sum {
  readonly sketch: SpaceSaving<string>;
  /** What the counts of keys may have too much, which came with them. */
  readonly errors: Map<string, number>;
  /** What a key may have too little: it was not watched where others were. */
  missed: number;
}

/** A time, and what it adds up to by group and weight. */
interface Span {
  readonly index: number;
  readonly sums: Map<string, Sum>;
}

/**
 * The heaviest of the last minute, ten minutes and hour over all workers, in fixed memory: each
 * window is a ring of spans, and each span a sketch of what workers have told in that time.
 */
export class HitterWindows {
  readonly #rings = WINDOWS.map(({ windowMs, spanMs }) => {
    return { windowMs, spanMs, count: windowMs / spanMs + 1, spans: [] as Span[] };
  });

  /**
   * Adds what a worker has counted.
   *
   * @param nowMs On a clock that never steps.
   */
  add(counts: readonly HitterCount[], nowMs: number): void {
    for (const ring of this.#rings) {
      const index = Math.floor(nowMs / ring.spanMs);
      let span = ring.spans.at(-1);
      if (span === undefined || span.index < index) {
        span = { index, sums: new Map() };
        ring.spans.push(span);
        ring.spans = ring.spans.filter((it) => it.index > index - ring.count);
      }
      for (const counted of counts) addCount(span.sums, counted);
    }
  }

  /**
   * The heaviest of one group.
   *
   * @throws {RangeError} if nobody watches such a window.
   */
  top({ group, by, windowMs, limit }: HitterQuestion, nowMs: number): HitterAnswer {
    const ring = this.#rings.find((it) => it.windowMs === windowMs);
    if (ring === undefined) throw new RangeError(`no window of ${windowMs} ms is watched`);
    const oldest = Math.floor(nowMs / ring.spanMs) - ring.count;
    const spans = ring.spans.filter(({ index }) => index > oldest);
    const totals = HITTER_WEIGHTS.map((weight) => addUp(spans, `${group} ${weight}`));
    const asked = totals[HITTER_WEIGHTS.indexOf(by)];
    if (asked === undefined) return { hitters: [], total: 0 };
    const heaviest = [...asked.known].sort(([a, x], [b, y]) =>
      y.least - x.least || y.most - x.most || (a < b ? -1 : 1)
    ).slice(0, limit);
    const hitters = heaviest.map(([key, { least, most }]) => {
      const [connections = 0, refused = 0, bytes = 0] = totals.map(({ known }) =>
        known.get(key)?.least ?? 0
      );
      return { key, connections, refused, bytes, uncertainty: most + asked.missed - least };
    });
    return { hitters, total: asked.total };
  }

  /** How many clients made at least `share` of all that was counted by one weight in a window. */
  countAbove(
    share: number,
    { by, windowMs }: Pick<HitterQuestion, "by" | "windowMs">,
    nowMs: number,
  ): number {
    const question = { group: "client", by, windowMs, limit: SPAN_PLACES } as const;
    const { hitters, total } = this.top(question, nowMs);
    return total === 0 ? 0 : hitters.filter((it) => it[by] >= share * total).length;
  }
}

function addCount(sums: Map<string, Sum>, counted: HitterCount): void {
  const name = `${counted.group} ${counted.by}`;
  let sum = sums.get(name);
  if (sum === undefined) {
    sum = { sketch: new SpaceSaving(SPAN_PLACES), errors: new Map(), missed: 0 };
    sums.set(name, sum);
  }
  const { sketch, errors } = sum;
  counted.keys.forEach((key, i) => {
    sketch.add(key, counted.counts[i] ?? 0);
    const error = counted.errors[i] ?? 0;
    if (error > 0) errors.set(key, (errors.get(key) ?? 0) + error);
  });
  sum.missed += counted.missed;
  forgetErrors(sum);
}

/** Errors of keys that have lost their place; those that come back have the place's error instead. */
function forgetErrors({ sketch, errors }: Sum): void {
  if (errors.size <= 2 * SPAN_PLACES) return;
  const watched = new Set(sketch.entries().map(({ key }) => key));
  for (const key of errors.keys()) if (!watched.has(key)) errors.delete(key);
}

/** What some spans know of each key: the least and the most that it can have been. */
function addUp(spans: readonly Span[], name: string) {
  const known = new Map<string, { least: number; most: number }>();
  let missed = 0;
  let total = 0;
  for (const { sums } of spans) {
    const sum = sums.get(name);
    if (sum === undefined) continue;
    missed += sum.missed + sum.sketch.missed;
    total += sum.sketch.total;
    for (const { key, count, error } of sum.sketch.entries()) {
      const before = known.get(key) ?? { least: 0, most: 0 };
      const least = Math.max(0, count - error - (sum.errors.get(key) ?? 0));
      // What the span may have missed is in `missed`, for all keys alike.
      known.set(key, {
        least: before.least + least,
        most: before.most + count - sum.sketch.missed,
      });
    }
  }
  return { known, missed, total };
}
