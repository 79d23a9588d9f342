import assert from "node:assert/strict";
import { BalancedUpstream } from "../../../lib/l7/balanced_upstream.ts";
import type { RequestNeeds, Upstream, Waiter } from "../../../lib/upstream/mod.ts";
import type { BackendConnection } from "../../../lib/l7/message.ts";
import { aloneBalancers, balanced } from "../../support/balancing.ts";

/** A pool that has nothing, and remembers who was forgotten in it. */
class EmptyPool implements Upstream<BackendConnection> {
  readonly forgotten: object[] = [];

  acquire(waiter: Waiter<BackendConnection>): void {
    waiter.onUnavailable({ kind: "busy", reason: "it has nothing" });
  }

  cancel(): void {}

  forget(affinity: object): void {
    this.forgotten.push(affinity);
  }
}

Deno.test("a client that has gone is forgotten at each backend it was brought to, and once", () => {
  const addrs = ["10.0.0.1:443", "10.0.0.2:443", "10.0.0.3:443"];
  const pools = new Map(addrs.map((addr) => [addr, new EmptyPool()]));
  const balancer = aloneBalancers().of(balanced(addrs.slice(0, 2)));
  const poolOf = (addr: string) => pools.get(addr) ?? assert.fail(addr);
  const upstream = new BalancedUpstream(balancer, poolOf);
  const [client, other] = [{}, {}];
  const forgottenAt = () => addrs.map((addr) => pools.get(addr)?.forgotten);
  const ask = (affinity?: object) => {
    const waiter = { onUnavailable: () => {} } as unknown as Waiter<BackendConnection>;
    upstream.acquire(waiter, { client: "192.0.2.1", affinity } as RequestNeeds);
  };
  for (let i = 0; i < 8; i++) ask(client);
  ask();
  upstream.forget(other);
  assert.deepEqual(forgottenAt(), [[], [], []], "another client");
  upstream.forget(client);
  assert.deepEqual(forgottenAt(), [[client], [client], []], "where it was");
  upstream.forget(client);
  assert.deepEqual(forgottenAt(), [[client], [client], []], "no second time");
});
