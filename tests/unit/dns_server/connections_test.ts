import assert from "node:assert/strict";
import { type IpAddress, parseIp } from "../../../lib/addr/mod.ts";
import { Connections, DnsCounters } from "../../../lib/dns_server/mod.ts";

function ip(text: string): IpAddress {
  const result = parseIp(text);
  assert(result.ok);
  return result.value;
}

/** Three places, two for a source, and a clock that stands still; who was cut is in `cut`. */
function threePlaces() {
  const clock = { now: 0 };
  const counters = new DnsCounters();
  const limits = { tcpConnections: 3, tcpPerSource: 2, tcpIdleMs: 1000, tcpPipeline: 1 };
  const connections = new Connections(limits, { counters, now: () => clock.now });
  const cut: string[] = [];
  const open = (address: string, name = address) => {
    const place = connections.take(ip(address));
    if (place === undefined) return undefined;
    const owner = { isWaiting: false, cut: () => void cut.push(name) };
    place.owner = owner;
    return { place, owner };
  };
  return { clock, counters, connections, cut, open, [Symbol.dispose]: () => connections.close() };
}

Deno.test("Connections gives a source as many places as it may have, and one again that it left", () => {
  using places = threePlaces();
  const first = places.open("192.0.2.1");
  assert(first !== undefined && places.open("192.0.2.1") !== undefined);
  assert.equal(places.open("192.0.2.1"), undefined);
  assert.equal(places.counters.get("connections_refused"), 1);
  assert.notEqual(places.open("192.0.2.2"), undefined);
  first.place.leave();
  first.place.leave();
  assert.equal(places.connections.size, 2);
  assert.notEqual(places.open("192.0.2.1"), undefined);
  assert.deepEqual(places.cut, []);
});

Deno.test("Connections takes addresses of one IPv6 /64 for one source", () => {
  using places = threePlaces();
  places.open("2001:db8::1");
  places.open("2001:db8::2");
  assert.equal(places.open("2001:db8::3"), undefined);
  assert.notEqual(places.open("2001:db8:0:1::3"), undefined);
});

Deno.test("Connections cuts the one that was silent longest when all places are taken", () => {
  using places = threePlaces();
  const [a] = ["a", "b", "c"].map((name, i) => places.open(`192.0.2.${i}`, name));
  a?.place.active();
  assert.notEqual(places.open("192.0.2.9", "d"), undefined);
  assert.deepEqual(places.cut, ["b"]);
  assert.equal(places.connections.size, 3);
  assert.equal(places.counters.get("connections_displaced"), 1);
});

Deno.test("Connections spares one that waits for an answer, unless all do", () => {
  using places = threePlaces();
  const all = ["a", "b", "c"].map((name, i) => places.open(`192.0.2.${i}`, name));
  for (const one of all.slice(0, 2)) if (one) one.owner.isWaiting = true;
  places.open("192.0.2.8", "d");
  assert.deepEqual(places.cut, ["c"]);
  const d = places.connections.size;
  assert.equal(d, 3);
});

Deno.test("Connections cuts who is silent for the time that one may be, and nobody before", () => {
  using places = threePlaces();
  const a = places.open("192.0.2.1", "a");
  places.open("192.0.2.2", "b");
  const c = places.open("192.0.2.3", "c");
  if (c) c.owner.isWaiting = true;
  places.clock.now = 500;
  a?.place.active();
  places.clock.now = 999;
  places.connections.look();
  assert.deepEqual(places.cut, []);
  places.clock.now = 1000;
  places.connections.look();
  assert.deepEqual(places.cut, ["b"]);
  places.clock.now = 1500;
  places.connections.look();
  assert.deepEqual(places.cut, ["b", "a"]);
  // It was waited for until now.
  if (c) c.owner.isWaiting = false;
  places.clock.now = 2500;
  places.connections.look();
  assert.deepEqual(places.cut, ["b", "a", "c"]);
  assert.equal(places.counters.get("connections_open"), 0);
});
