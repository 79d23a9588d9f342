import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { HistogramValue } from "../observe/mod.ts";

/** One sample: its labels and its value. */
export type Sample<L extends string> = readonly [
  labels: Readonly<Record<L, string>>,
  value: number,
];

/** Name and meaning of a metric. */
export interface Family<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly L[];
}

/**
 * Metrics whose values live elsewhere, in memory that workers share, and are read when somebody
 * scrapes. The library keeps names, labels and the text format; it counts nothing itself.
 */
export class Families {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Values that only grow while the process lives. */
  counter<L extends string>(family: Family<L>, read: () => Iterable<Sample<L>>): void {
    new Counter<L>({
      ...this.#configuration(family),
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  }

  /** Values that go up and down. */
  gauge<L extends string>(family: Family<L>, read: () => Iterable<Sample<L>>): void {
    new Gauge<L>({
      ...this.#configuration(family),
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }

  /** Distributions that were put into buckets already. */
  histogram<L extends string>(
    family: Family<L>,
    read: () => Iterable<readonly [labels: Readonly<Record<L, string>>, value: HistogramValue]>,
  ): void {
    new SharedHistogram<L>(this.#configuration(family), read);
  }

  #configuration<L extends string>({ name, help, labels = [] }: Family<L>) {
    return { name, help, labelNames: labels, registers: [this.#registry] };
  }
}

type HistogramRead<L extends string> = () => Iterable<
  readonly [labels: Readonly<Record<L, string>>, value: HistogramValue]
>;

/** A histogram of the library that gets its buckets from outside. */
class SharedHistogram<L extends string> extends Histogram<L> {
  readonly #family: { readonly name: string; readonly help: string };
  readonly #read: HistogramRead<L>;

  constructor(
    configuration: {
      readonly name: string;
      readonly help: string;
      readonly labelNames: readonly L[];
      readonly registers: Registry[];
    },
    read: HistogramRead<L>,
  ) {
    super(configuration);
    this.#family = configuration;
    this.#read = read;
  }

  // Under both names: the registry renders what the second one returns, if there is one.
  // deno-lint-ignore require-await -- the library awaits it
  override async get() {
    const { name, help } = this.#family;
    const values = [...this.#read()].flatMap(([labels, value]) =>
      bucketSeries(name, labels, value)
    );
    // The library's types know the labels of the family, and not `le`.
    return { name, help, type: "histogram", values, aggregator: "sum" } as unknown as Awaited<
      ReturnType<Histogram<L>["get"]>
    >;
  }

  getForPromString(): ReturnType<Histogram<L>["get"]> {
    return this.get();
  }
}

/** The series of one histogram: cumulative buckets, sum and count. */
function bucketSeries(
  name: string,
  labels: Readonly<Record<string, string>>,
  { bounds, counts, sum }: HistogramValue,
) {
  let total = 0;
  const buckets = counts.map((count, i) => {
    total += count;
    const le = i < bounds.length ? String(bounds[i]) : "+Inf";
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: total },
  ];
}
