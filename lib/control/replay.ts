import {
  type CompiledFirewall,
  compileFirewallInSteps,
  createFirewall,
  type FirewallRule,
  type GeoIp,
  patchFirewallInSteps,
} from "../firewall/mod.ts";
import type { History, PastVisits } from "../history/mod.ts";
import { invalid, RefusedError } from "../queue/mod.ts";
import { runInSlices, Slices } from "../slices/mod.ts";
import { isAutomaticBan, type Listener, type RuleSettings, type State } from "../state/mod.ts";
import {
  allowLists,
  decide,
  type Deciders,
  NO_ROUTES,
  wantedWays,
  waysOf,
} from "./replay_deciders.ts";
import { ReplayCount, type Replayed } from "./replay_count.ts";
import type { ServedState } from "./served_state.ts";

/** As far as anything is kept. */
const MAX_SPAN_MS = 3650 * 24 * 3_600_000;

/** Visits that are asked of the history at once. */
const PAGE = 1_000;

/** What a {@link Replay} looks at. */
export interface ReplayOptions {
  readonly history: History | undefined;
  readonly state: ServedState;
  readonly geoip: () => GeoIp | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Asks of a change what it would have meant for the real clients of the past: those who came are
 * decided about twice, by the state as it is and by the one that is wanted, with the functions that
 * decide about connections. Limits of rates are left out: they depend on each other's times.
 */
export class Replay {
  readonly #options: ReplayOptions;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /**
   * What one more rule would have meant.
   *
   * @throws {RefusedError} if there is no history.
   */
  async ofRule(rule: RuleSettings, spanMs: number): Promise<Replayed> {
    const { rules } = this.#options.state.snapshot.firewall;
    const patch = { add: [{ ...rule, id: 0 }] };
    return await this.#run(
      { rules: await runInSlices(patchFirewallInSteps(rules, patch)) },
      spanMs,
    );
  }

  /**
   * What another state would have meant; parts that it does not name stay.
   *
   * @throws {RefusedError} if there is no history.
   */
  async ofState(wanted: State, spanMs: number): Promise<Replayed> {
    const rules = wanted.rules && await this.#compile(wanted.rules);
    const { listeners } = wanted;
    return await this.#run({ ...rules && { rules }, ...listeners && { listeners } }, spanMs);
  }

  /** With the bans that the proxy has made on its own, which stay. */
  async #compile(wanted: readonly RuleSettings[]): Promise<CompiledFirewall> {
    const { rules } = this.#options.state.database;
    const slices = new Slices();
    const all: FirewallRule[] = [];
    for (let last = 0;;) {
      const page = rules.page(last, PAGE);
      for (const rule of page) {
        if (isAutomaticBan(rule)) all.push({ ...rule, id: all.length + 1 });
      }
      last = page.at(-1)?.id ?? last;
      if (page.length < PAGE) break;
      if (slices.isOver) await slices.pause();
    }
    for (const rule of wanted) {
      all.push({ ...rule, id: all.length + 1 });
      if (slices.isOver) await slices.pause();
    }
    return await runInSlices(compileFirewallInSteps(all));
  }

  async #run(
    changed: { readonly rules?: CompiledFirewall; readonly listeners?: readonly Listener[] },
    spanMs: number,
  ): Promise<Replayed> {
    const { history, state, geoip, now } = this.#options;
    const slices = new Slices();
    if (history === undefined) {
      throw new RefusedError("failed_precondition", "nothing is kept: [history] is not configured");
    }
    if (spanMs < 1 || spanMs > MAX_SPAN_MS) throw invalid("replay", "not a time in the past");
    const { snapshot: { listeners, firewall: { rules } } } = state;
    const allowList = allowLists(geoip());
    const before: Deciders = {
      allowList,
      firewall: createFirewall(rules, geoip()),
      tables: waysOf(listeners, ({ id }) => state.table(id) ?? NO_ROUTES),
    };
    const after: Deciders = {
      allowList,
      firewall: createFirewall(changed.rules ?? rules, geoip()),
      tables: changed.listeners === undefined
        ? before.tables
        : await wantedWays(changed.listeners, slices),
    };
    const sinceMs = now() - spanMs;
    const counted = new ReplayCount();
    for await (const visit of allVisits(history, sinceMs)) {
      if (slices.isOver) await slices.pause();
      counted.add(visit, decide(visit, before), decide(visit, after));
    }
    return { sinceMs, ...counted.result() };
  }
}

async function* allVisits(history: History, sinceMs: number): AsyncGenerator<PastVisits> {
  let after: string | undefined;
  do {
    const page = await history.visits(sinceMs, { after, limit: PAGE });
    yield* page.visits;
    after = page.next;
  } while (after !== undefined);
}
