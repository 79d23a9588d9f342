import { identityOf } from "../schema/mod.ts";
import {
  type RateLimit,
  type RouteSettings,
  RULE,
  type RuleSettings,
  type State,
} from "../state/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { Steps } from "../slices/mod.ts";
import type { Difference } from "./difference.ts";
import { countRouteDifferences, differsInRateLimit, differsInRule } from "./plan.ts";

/** What a {@link DriftCount} looks at. */
export interface CountSource {
  /** The listener of an address, and its route of a hostname, as they are served. */
  readonly route: (addr: string, hostname: string) => Route | undefined;
  readonly rateLimit: () => RateLimit;
  /** When everything was compared, in milliseconds since 1970. */
  readonly comparedAt: number;
}

/**
 * How many differences there are to a wanted state, kept true change by change: comparing a million rules
 * takes seconds, and a change touches a few of them.
 */
export class DriftCount {
  readonly #wanted: State;
  readonly #source: CountSource;
  readonly #routes: ReadonlyMap<string, RouteSettings>;
  readonly #rules: ReadonlyMap<string, RuleSettings>;
  /** Of routes and of the rate limit, which differ by few; those without any are left out. */
  readonly #counts = new Map<string, number>();
  #total: number;

  private constructor(wanted: State, total: number, source: CountSource) {
    this.#wanted = wanted;
    this.#source = source;
    const { listeners = [], rules = [] } = wanted;
    this.#routes = new Map(
      listeners.flatMap(({ addr, routes }) =>
        routes.map((route) => [`${addr} ${route.hostname}`, route] as const)
      ),
    );
    this.#rules = new Map(rules.map((rule) => [identityOf(RULE.shape, rule), rule]));
    this.#total = total;
  }

  /** @param found everything that differs now; a step for each. */
  static *of(
    wanted: State,
    found: readonly Difference[],
    source: CountSource,
  ): Steps<DriftCount> {
    const counted = new DriftCount(wanted, found.length, source);
    for (const difference of found) {
      yield;
      if (difference.rule !== undefined) continue; // A change of a rule says what was there before.
      const key = keyOf(difference);
      counted.#counts.set(key, (counted.#counts.get(key) ?? 0) + 1);
    }
    return counted;
  }

  /** How many differences there are. */
  get total(): number {
    return this.#total;
  }

  /**
   * Looks again at what changes were about, in the order in which they were made; false if one of them
   * has to be compared with everything.
   */
  update(changes: readonly Difference[]): boolean {
    for (const change of changes) {
      // Its routes come and go with it.
      if (change.kind === "listener") return false;
      if (change.rule !== undefined) this.#total += this.#deltaOf(change.rule);
      else this.#recount(change);
    }
    return true;
  }

  #deltaOf({ before, after }: NonNullable<Difference["rule"]>): number {
    const one = before ?? after;
    if (one === undefined || this.#wanted.rules === undefined) return 0;
    const wanted = this.#rules.get(identityOf(RULE.shape, one));
    const { comparedAt } = this.#source;
    return Number(differsInRule(wanted, after, comparedAt)) -
      Number(differsInRule(wanted, before, comparedAt));
  }

  #recount(change: Difference): void {
    const key = keyOf(change);
    const count = change.kind === "rate_limit" ? this.#limits() : this.#ofRoute(change);
    this.#total += count - (this.#counts.get(key) ?? 0);
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }

  #limits(): number {
    const { rateLimit } = this.#wanted;
    if (rateLimit === undefined) return 0;
    return Number(differsInRateLimit(this.#source.rateLimit(), rateLimit));
  }

  #ofRoute({ subject }: Difference): number {
    const { listeners } = this.#wanted;
    const [addr = "", hostname = ""] = subject.split(" ");
    // A listener that is not wanted is one difference, with everything that it has.
    if (listeners === undefined || !listeners.some((it) => it.addr === addr)) return 0;
    const wanted = this.#routes.get(`${addr} ${hostname}`);
    return countRouteDifferences(addr, wanted, this.#source.route(addr, hostname));
  }
}

/** A route is counted together with its policies. */
function keyOf({ kind, subject }: Difference): string {
  if (kind !== "l7_policy") return `${kind} ${subject}`;
  const [addr, hostname] = subject.split(" ");
  return `route ${addr} ${hostname}`;
}
