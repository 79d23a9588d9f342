import assert from "node:assert/strict";
import { formatIp, type IpAddress, parseIp } from "../../../lib/addr/mod.ts";
import { serve } from "../../../lib/server/connection.ts";
import type { Connection } from "../../../lib/server/connection_state.ts";
import { Challenges } from "../../../lib/server/challenges.ts";
import type { PlaneState } from "../../../lib/server/plane_state.ts";

function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  assert(parsed.ok, text);
  return parsed.value;
}

/** Who was asked about, in order, by the steps before the first octet. */
function asked(refusing: "firewall" | "rate" | "open") {
  const seen: string[] = [];
  const note = (step: string, address: IpAddress) => {
    seen.push(`${step} ${formatIp(address)}`);
    return step !== refusing;
  };
  const state = {
    clock: { now: () => 1, wallNow: () => 2 },
    worker: 0,
    challenges: new Challenges(),
    sources: {
      firewall: {
        skipsRateLimit: () => false,
        check: (address: IpAddress) =>
          note("firewall", address)
            ? { action: "allow" }
            : { action: "block", rule: { id: 9, type: "ip", value: "192.0.2.1" } },
      },
      rateLimiter: { admit: (address: IpAddress) => note("rate", address) },
      connectionLimiter: {
        acquire: (address: IpAddress) => note("open", address) ? { slot: 1, tag: 1n } : undefined,
      },
    },
  } as unknown as PlaneState;
  const connection = {
    listener: { proxyProtocol: false },
    peer: { ip: ip("10.0.0.1"), port: 1 },
    client: { ip: ip("192.0.2.1"), port: 2 },
  } as unknown as Connection;
  const ending = serve(connection, state);
  assert(!(ending instanceof Promise), "decided before anything is read");
  return { seen, outcome: ending.outcome, permit: connection.sourcePermit };
}

Deno.test("serve() asks about the client and never about its proxy: rules, new, then open connections", () => {
  const client = "192.0.2.1";
  assert.deepEqual(asked("firewall"), {
    seen: [`firewall ${client}`],
    outcome: "blocked",
    permit: undefined,
  });
  assert.deepEqual(asked("rate"), {
    seen: [`firewall ${client}`, `rate ${client}`],
    outcome: "rate_limited",
    permit: undefined,
  });
  assert.deepEqual(asked("open"), {
    seen: [`firewall ${client}`, `rate ${client}`, `open ${client}`],
    outcome: "too_many_from_source",
    permit: undefined,
  });
});
