import assert from "node:assert/strict";
import type { DnsChanges } from "../../../lib/control/dns_changes.ts";
import type { ServedState } from "../../../lib/control/served_state.ts";
import { StateAdministration } from "../../../lib/control/state_administration.ts";

const RECORDS = [{ name: "www.example.net", type: "A", ttl: 300, values: ["192.0.2.1"] }] as const;

Deno.test("records are not changed together with the state of a group, nor planned", async () => {
  // Neither is touched: whatever is asked of them fails.
  const state = { isOfGroup: true } as ServedState;
  const administration = new StateAdministration(
    {
      state,
      dns: {} as DnsChanges,
    } as ConstructorParameters<typeof StateAdministration>[0],
  );
  for (const dryRun of [false, true]) {
    await assert.rejects(
      administration.apply(
        { listeners: [], records: RECORDS } as never,
        { dryRun } as never,
        { actor: "test", action: "Apply" },
      ),
      { code: "failed_precondition", message: /group: change them at the name server/ },
    );
  }
});
