import assert from "node:assert/strict";
import {
  nameChange,
  type NameView,
  type RecordedListener,
  routeRecords,
} from "../../../lib/control/route_records.ts";
import type { PublishedSet } from "../../../lib/db/mod.ts";
import { runInSlices } from "../../../lib/slices/mod.ts";

const OPTIONS = {
  zones: ["example.net", "in.example.net"],
  addresses: ["2001:db8::7", "203.0.113.9", "203.0.113.7", "203.0.113.9"],
  ttl: 300,
};

async function wanted(
  listeners: readonly RecordedListener[],
  options: Partial<typeof OPTIONS> = {},
): Promise<string[]> {
  const found = await runInSlices(routeRecords(listeners, { ...OPTIONS, ...options }));
  return [...found].flatMap(([key, sets]) =>
    sets.map(({ zone, name, type, ttl, values }) => {
      assert.equal(key, `${zone} ${name}`);
      return `${zone} ${name} ${ttl} ${type} ${values.join(" | ")}`;
    })
  );
}

const listener = (port: number, ...routes: RecordedListener["routes"]) => ({ port, routes });
const l7 = (hostname: string) => ({ hostname, mode: "l7" as const });
const l4 = (hostname: string) => ({ hostname, mode: "l4" as const });

Deno.test("a hostname in a zone has its addresses, and HTTPS if it is l7", async () => {
  const mtls = { hostname: "ssh.example.net", mode: "mtls" as const };
  assert.deepEqual(
    await wanted([listener(443, l7("www.example.net"), l4("a.in.example.net"), mtls)]),
    [
      "example.net www.example.net. 300 A 203.0.113.7 | 203.0.113.9",
      "example.net www.example.net. 300 AAAA 2001:db8::7",
      'example.net www.example.net. 300 HTTPS 1 . alpn="h2,http/1.1"',
      "in.example.net a.in.example.net. 300 A 203.0.113.7 | 203.0.113.9",
      "in.example.net a.in.example.net. 300 AAAA 2001:db8::7",
      "example.net ssh.example.net. 300 A 203.0.113.7 | 203.0.113.9",
      "example.net ssh.example.net. 300 AAAA 2001:db8::7",
    ],
  );
});

Deno.test("the apex is a name; wildcards, default routes and names elsewhere have no records", async () => {
  const names = ["www.example.org", "badexample.net", "example.net", "*.example.net", "*"];
  assert.deepEqual(await wanted([listener(443, ...names.map(l4))], { addresses: ["192.0.2.1"] }), [
    "example.net example.net. 300 A 192.0.2.1",
  ]);
  const redirect = { ...listener(80, l4("www.example.net")), kind: "redirect" as const };
  assert.deepEqual(await wanted([redirect]), []);
});

Deno.test("HTTPS leads to the door that clients come to first", async () => {
  const https = async (...listeners: RecordedListener[]) =>
    (await wanted(listeners)).filter((it) => it.includes("HTTPS")).map((it) =>
      it.split(" 1 . ")[1]
    );
  const www = "www.example.net";
  const other = ['alpn="h2,http/1.1" port=8443'];
  assert.deepEqual(await https(listener(8443, l7(www))), other);
  assert.deepEqual(await https(listener(9443, l7(www)), listener(8443, l7(www))), other);
  assert.deepEqual(await https(listener(8443, l7(www)), listener(9443, l4(www))), other);
  const plain = ['alpn="h2,http/1.1"'];
  assert.deepEqual(await https(listener(81, l7(www)), listener(443, l7(www))), plain);
  assert.deepEqual(await https(listener(443, l7(www)), listener(81, l7(www))), plain);
  // Who comes to 443 is passed on there, and not to be led elsewhere.
  assert.deepEqual(await https(listener(443, l4(www)), listener(81, l7(www))), []);
  assert.deepEqual(await https(listener(81, l7(www)), listener(443, l4(www))), []);
});

const set = (type: string, ...values: string[]): PublishedSet => {
  return { zone: "example.net", name: "www.example.net.", type, ttl: 300, values };
};
const [a, aaaa] = [set("A", "192.0.2.1"), set("AAAA", "2001:db8::1")];
const https = set("HTTPS", "1 .");

function change(
  { wanted = [], ours = [], there = [] }: {
    readonly wanted?: NameView["wanted"];
    readonly ours?: NameView["ours"];
    readonly there?: readonly PublishedSet[];
  },
) {
  const found = (type: string) => there.find((it) => it.type === type) ?? { ttl: 0, values: [] };
  const { write, keep, foreign } = nameChange({ wanted, ours, found });
  return {
    write: write.map(({ type, values }) => `${type} ${values.join(" ")}`),
    keep: keep.map(({ type }) => type),
    foreign,
  };
}

Deno.test("what is not there is made, what is as wanted stays, what nobody wants goes", () => {
  const all = [a, aaaa, https];
  const made = { write: ["A 192.0.2.1", "AAAA 2001:db8::1", "HTTPS 1 ."], foreign: [] };
  assert.deepEqual(change({ wanted: all }), { ...made, keep: ["A", "AAAA", "HTTPS"] });
  // Somebody has lost them: a copy of before, or a hand.
  assert.deepEqual(change({ wanted: all, ours: all }).write, made.write);
  const same = { write: [], keep: ["A", "AAAA", "HTTPS"], foreign: [] };
  assert.deepEqual(change({ wanted: all, ours: all, there: all }), same);
  const gone = { write: ["A ", "AAAA ", "HTTPS "], keep: [], foreign: [] };
  assert.deepEqual(change({ ours: all, there: all }), gone);
  assert.deepEqual(change({ ours: all }), { write: [], keep: [], foreign: [] });
  const other = set("A", "192.0.2.2");
  assert.deepEqual(change({ wanted: [other], ours: [a, https], there: [a, https] }), {
    ...{ write: ["A 192.0.2.2", "HTTPS "], keep: ["A"], foreign: [] },
  });
  const longer = { ...a, ttl: 600 };
  assert.deepEqual(change({ wanted: [longer], ours: [a], there: [a] }).write, ["A 192.0.2.1"]);
});

Deno.test("what is there and not as we made it is somebody else's", () => {
  const hand = set("A", "198.51.100.1");
  // Nothing of ours stands beside an address of another machine.
  assert.deepEqual(change({ wanted: [a, aaaa, https], there: [hand] }), {
    ...{ write: [], keep: [], foreign: ["A"] },
  });
  assert.deepEqual(change({ wanted: [a, aaaa], ours: [a, aaaa], there: [hand, aaaa] }), {
    ...{ write: ["AAAA "], keep: [], foreign: ["A"] },
  });
  assert.deepEqual(change({ ours: [a], there: [hand] }), { write: [], keep: [], foreign: [] });
  const own = set("HTTPS", "1 . alpn=h3");
  assert.deepEqual(change({ wanted: [a, https], there: [own] }), {
    ...{ write: ["A 192.0.2.1"], keep: ["A"], foreign: ["HTTPS"] },
  });
  // By hand, and the same: it stays when the route goes, and is nothing to speak of.
  assert.deepEqual(change({ wanted: [a, https], there: [a] }), {
    ...{ write: ["HTTPS 1 ."], keep: ["HTTPS"], foreign: [] },
  });
  const longer = { ...a, ttl: 600 };
  assert.deepEqual(change({ ours: [a], there: [longer] }).write, []);
});
