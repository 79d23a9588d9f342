import assert from "node:assert/strict";
import { countDifferences, readStateFile, type State } from "../../../lib/state/mod.ts";

function state(text: string): State {
  const read = readStateFile(text);
  assert.ok(read.ok, JSON.stringify(read));
  return read.state;
}

const POLICY = '[[listeners.routes.policies]]\ntype = "require_header"\nvalue = "x-a"\n';

/** A listener with one route. */
function listener(addr: string, route = "", policies = "") {
  return `[[listeners]]\naddr = "${addr}"\n[[listeners.routes]]\nhostname = "a.test"\n` +
    `backend = "192.0.2.1:1"\n${route}${policies}`;
}

const L7 = 'mode = "l7"\ntls_cert = "/c"\ntls_key = "/k"\n';
const RULES = '[[firewall.rules]]\ntype = "ip"\nvalue = "192.0.2.1"\n';

Deno.test.each([
  ["nothing", listener(":1"), listener(":1"), 0],
  ["a part that is not wanted", listener(":1") + RULES, "", 0],
  ["another listener", listener(":1"), listener(":2"), 3],
  [
    "a setting of a listener",
    listener(":1"),
    listener(":1").replace("\n[[", "\nmax_connections = 1\n[["),
    1,
  ],
  [
    "a route's backend",
    listener(":1"),
    listener(":1").replace(':1"\n', ':1"\n').replace("192.0.2.1:1", "192.0.2.1:2"),
    1,
  ],
  ["a policy", listener(":1", L7), listener(":1", L7, POLICY), 1],
  ["a listener with a policy", "", listener(":1", L7, POLICY), 3],
  [
    "a route that leaves l7 takes its policies along",
    listener(":1", L7, POLICY),
    listener(":1"),
    1,
  ],
  ["a rule", RULES, "firewall.rules = []", 1],
  ["why a rule blocks", RULES, `${RULES}reason = "scans"\n`, 1],
  ["a rate limit", "", '[firewall]\nrate_limit = 1\nrate_window = "1s"', 1],
  ["the window of none", "", '[firewall]\nrate_limit = 0\nrate_window = "1s"', 0],
])("countDifferences() counts %s", (_what, before, after, expected) => {
  const present = before === "" ? {} : state(before);
  assert.equal(countDifferences(present, state(after)), expected);
});
