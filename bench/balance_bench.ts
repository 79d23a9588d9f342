/**
 * What choosing between backends costs, without a connection: a place is taken and given back, at
 * one of so many, in the thread of one worker. Beside it, what a route with one backend does instead.
 *
 * Run: `deno bench bench/balance_bench.ts`.
 *
 * @module
 */
import {
  BackendCell,
  type BalancedRoute,
  type BalancePolicy,
  Balancers,
} from "../lib/balance/mod.ts";

const POLICIES: readonly BalancePolicy[] = ["round_robin", "least", "source"];
const NOBODY: ReadonlySet<string> = new Set();

for (const count of [1, 3, 16]) {
  for (const balance of POLICIES) {
    const backends = Array.from({ length: count }, (_, i) => ({
      ...{ addr: `192.0.2.${i + 1}:443`, weight: 1, backup: false, state: "up" as const },
    }));
    const route: BalancedRoute = { id: 1, backends, balance };
    const balancers = new Balancers({
      worker: 0,
      now: () => performance.now(),
      wallNow: () => Date.now(),
      random: Math.random,
      after: () => () => {},
    });
    const cells = backends.map(({ addr }) => ({
      ...{ route: 1, addr, buffer: BackendCell.create(Date.now()) },
    }));
    balancers.setCells(cells, []);
    const proof = { bytesOut: 1 };
    Deno.bench(`${balance}, one of ${count}`, { group: `of ${count}` }, () => {
      balancers.of(route).acquire({ source: "192.0.2.77", tried: NOBODY }, (place) => {
        if (typeof place === "string") throw new Error(place);
        place.watch(proof);
        place.release();
      });
    });
  }
}
