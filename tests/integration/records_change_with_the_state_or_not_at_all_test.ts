import assert from "node:assert/strict";
import { join } from "node:path";
import { AbortedError, AdminError, InvalidArgumentError } from "../../lib/client/mod.ts";
import { callDnsRest, type DnsRestOptions } from "../../lib/dns_rest/mod.ts";
import type { Plane } from "../../lib/plane/mod.ts";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { eventually } from "../support/deadline.ts";
import { type DnsGate, type GateCall, startDnsGate } from "../support/dns_gate.ts";
import { ADMIN_TOKEN, type McnsAdmin, startMcnsAdmin } from "../support/mcns_admin.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

interface Pair extends AsyncDisposable {
  readonly proxy: AdminFixture;
  readonly mcns: McnsAdmin;
  readonly gate: DnsGate;
  readonly server: DnsRestOptions;
}

const WRONG = "the name server could not be told";

/** A control plane with its name server behind a gate, both in this process. */
async function startPair(
  { folder, wrapPlane }: {
    readonly folder?: string;
    readonly wrapPlane?: (plane: Plane) => Plane;
  } = {},
): Promise<Pair> {
  const mcns = await startMcnsAdmin();
  const server = `https://localhost:${mcns.ports.rest}`;
  const gate = await startDnsGate({ server, caPem: mcns.ca });
  const options = { server, caPem: mcns.ca, token: ADMIN_TOKEN };
  const zone = { name: "a.example", "name_servers": ["ns"] };
  await callDnsRest(options, { method: "POST", path: "/v1/zones", body: zone });
  const proxy = await startProxySide(gate, { folder, wrapPlane });
  return {
    ...{ proxy, mcns, gate, server: options },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await gate[Symbol.asyncDispose]();
      await mcns[Symbol.asyncDispose]();
    },
  };
}

async function startProxySide(
  gate: DnsGate,
  { folder, wrapPlane }: {
    readonly folder?: string | undefined;
    readonly wrapPlane?: ((plane: Plane) => Plane) | undefined;
  },
): Promise<AdminFixture> {
  const fixture = await startAdmin({
    ...folder !== undefined && { folder },
    ...wrapPlane && { wrapPlane },
    config: (folder) => {
      Deno.writeTextFileSync(join(folder, "gate.pem"), gate.ca);
      Deno.writeTextFileSync(join(folder, "token"), ADMIN_TOKEN);
      return `[mcns]
server = "${gate.url}"
dns = "127.0.0.1:53"
ca_cert = "${join(folder, "gate.pem")}"
token_file = "${join(folder, "token")}"
zones = ["a.example"]
`;
    },
  });
  fixture.expectedErrors.push(WRONG);
  return fixture;
}

/** A state with one route, and the record of its name. */
function wanted({ addr }: AdminFixture, name: string, value = "192.0.2.7") {
  const route = { hostname: `${name}.a.example`, backend: "192.0.2.1:443" };
  return {
    listeners: { listeners: [{ listener: { addr }, routes: [{ route }] }] },
    records: [{ name: `${name}.a.example`, type: "A", ttl: 60, values: [value] }],
  };
}

const routesOf = ({ control }: AdminFixture) =>
  control.listeners.flatMap(({ routes }) => routes.map(({ hostname }) => hostname));

async function recordsOf({ server }: Pair, name: string): Promise<string[]> {
  const path = `/v1/zones/a.example/records?type=A&name=${name}`;
  const { json } = await callDnsRest(server, { method: "GET", path });
  return (json.records as { value: string }[]).map(({ value }) => value);
}

/** Whether both have it; fails unless it is both or neither and nothing waits any more. */
async function settled(pair: Pair, name: string): Promise<boolean> {
  await pair.proxy.control.nameServer.changes?.settle();
  assert.deepEqual(pair.mcns.control.prepared.list(), [], "nothing is kept");
  assert.deepEqual(
    pair.proxy.control.nameServer.changes?.waiting(),
    [],
    "nothing is in the journal",
  );
  const isRouted = routesOf(pair.proxy).includes(`${name}.a.example`);
  assert.equal((await recordsOf(pair, name)).length, isRouted ? 1 : 0, "both or neither");
  return isRouted;
}

Deno.test("a state with records is compared and applied at both, whole", async () => {
  await using pair = await startPair();
  const { proxy, mcns } = pair;
  const state = wanted(proxy, "www");
  const found = await proxy.client.apply({ state, dryRun: true });
  assert.deepEqual(found.differences.map((it) => `${it.action} ${it.kind} ${it.subject}`), [
    `add route ${proxy.addr} www.a.example`,
    "add dns_set www.a.example. A",
  ]);
  assert.equal(found.differences[1]?.after, '{"ttl":60,"values":["192.0.2.7"]}');
  assert.deepEqual(found.zoneVersions.map((it) => `${it.zone} ${it.version}`), ["a.example. 1.1"]);
  assert.deepEqual([routesOf(proxy), mcns.control.prepared.list()], [[], []]);

  const { zoneVersions: ifZoneVersions, revision: ifRevision } = found;
  const done = await proxy.client.apply({ state, ifZoneVersions, ifRevision });
  assert.deepEqual([done.totalDifferences, done.recordsPending], [2, false]);
  assert.equal(await settled(pair, "www"), true);
  const { entries } = await proxy.client.getAuditLog({ limit: 1 });
  assert.deepEqual([entries[0]?.subject, entries[0]?.action], ["www.a.example. A", "Apply"]);
  // Nothing differs any more: nothing is decided.
  const again = await proxy.client.apply({ state });
  assert.deepEqual([again.totalDifferences, mcns.control.prepared.list()], [0, []]);
  const gone = { records: [{ name: "WWW.A.example.", type: "A", values: [] }] };
  assert.equal((await proxy.client.apply({ state: gone })).totalDifferences, 1);
  assert.deepEqual(await recordsOf(pair, "www"), []);
});

Deno.test("a change in between, on either side, refuses both", async () => {
  await using pair = await startPair();
  const { proxy, server } = pair;
  const state = wanted(proxy, "www");
  const { zoneVersions: ifZoneVersions, revision } = await proxy.client
    .apply({ state, dryRun: true });
  const path = "/v1/zones/a.example/records";
  const body = { name: "other", type: "A", value: "192.0.2.9" };
  await callDnsRest(server, { method: "POST", path, body });
  await assert.rejects(
    proxy.client.apply({ state, ifZoneVersions }),
    (error) => error instanceof AbortedError && /is at version 1\.2/.test(error.message),
  );
  assert.equal(await settled(pair, "www"), false);
  await proxy.client.addFirewallRule({ type: "ip", value: "192.0.2.99" });
  const stale = revision === 0n ? 1_000_000n : revision;
  await assert.rejects(proxy.client.apply({ state, ifRevision: stale }), AbortedError);
  assert.equal(await settled(pair, "www"), false);
  // Kept for another one: whoever comes meanwhile waits or tries again.
  const sets = [{ zone: "a.example", name: "x", type: "A", values: ["192.0.2.1"] }];
  const held = { id: "held", coordinator: "another", sets };
  await callDnsRest(server, { method: "POST", path: "/v1/changes", body: held });
  await assert.rejects(proxy.client.apply({ state }), /waits for the decision on the change held/);
  await callDnsRest(server, { method: "DELETE", path: "/v1/changes/held" });
  await proxy.client.apply({ state });
  assert.equal(await settled(pair, "www"), true);
});

Deno.test("what does not hold is refused before anything is kept, by its place", async () => {
  await using pair = await startPair();
  const { proxy, mcns } = pair;
  const state = wanted(proxy, "www");
  const record = { name: "www.a.example", type: "A", values: ["192.0.2.1"] };
  for (
    const [records, field] of [
      [[{ ...record, values: ["x"] }], "state.records[0].values[0]"],
      [[record, { ...record, name: "www.b.example" }], "state.records[1].name"],
      [[{ ...record, type: "NOTYPE" }], "state.records[0].type"],
    ] as const
  ) {
    const call = proxy.client.apply({ state: { ...state, records: [...records] as never } });
    await assert.rejects(call, (error) => {
      assert(error instanceof InvalidArgumentError, String(error));
      assert.deepEqual(error.problems.map((it) => it.field), [field], error.message);
      return true;
    });
  }
  assert.deepEqual([routesOf(proxy), mcns.control.prepared.list()], [[], []]);
  await using alone = await startAdmin();
  await assert.rejects(alone.client.apply({ state }), /needs the section \[mcns\]/);
});

Deno.test("a network that is cut at any message leaves both with it or neither", async () => {
  await using pair = await startPair();
  const { proxy, gate } = pair;
  const calls: readonly (readonly [GateCall, "before" | "after", boolean])[] = [
    ["prepare", "before", false],
    ["prepare", "after", false],
    ["commit", "before", true],
    ["commit", "after", true],
  ];
  for (const [i, [call, when, isMade]] of calls.entries()) {
    const name = `n${i}`;
    gate.watch = (...at) => at[0] === call && at[1] === when ? "cut" : undefined;
    const applying = proxy.client.apply({ state: wanted(proxy, name) });
    if (isMade) {
      assert.equal((await applying).recordsPending, true, "the decision is made and waits");
      const { status } = await proxy.client.getStatus({});
      assert.deepEqual(status?.dnsChanges.map(({ sets }) => sets), [[`${name}.a.example. A`]]);
      assert.match(status?.dnsChanges[0]?.problem ?? "", /cannot be reached/);
    } else await assert.rejects(applying, /cannot be reached; nothing was changed/);
    gate.watch = () => {};
    assert.equal(await settled(pair, name), isMade, `${call} ${when}`);
  }
  // All of it is cut: what was kept in vain is given up when the way is free.
  gate.watch = (call, when) => call === "prepare" && when === "before" ? undefined : "cut";
  await assert.rejects(proxy.client.apply({ state: wanted(proxy, "n9") }));
  assert.equal(pair.mcns.control.prepared.list().length, 1);
  gate.watch = () => {};
  assert.equal(await settled(pair, "n9"), false);
});

Deno.test("our own change that fails after the name server has kept its part takes both back", async () => {
  let isBroken = false;
  const wrapPlane = (plane: Plane): Plane =>
    new Proxy(plane, {
      get(target, key) {
        const value = Reflect.get(target, key);
        if (key === "apply" && isBroken) {
          return (changes: readonly { readonly kind: string }[], ...rest: unknown[]) => {
            if (changes[0]?.kind === "snapshot") return value.call(target, changes, ...rest);
            return Promise.reject(new Error("no"));
          };
        }
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  await using pair = await startPair({ wrapPlane });
  pair.proxy.expectedErrors.push("");
  isBroken = true;
  await assert.rejects(pair.proxy.client.apply({ state: wanted(pair.proxy, "www") }), AdminError);
  assert.deepEqual(pair.mcns.control.prepared.list(), [], "given up at once");
  isBroken = false;
  assert.equal(await settled(pair, "www"), false);
});

Deno.test("a process that comes after goes on with what is decided, and gives up what is not", async () => {
  using folder = temporaryFolder();
  await using pair = await startPair({ folder: folder.path });
  const { gate, mcns } = pair;
  gate.watch = (call) => call === "commit" ? "cut" : undefined;
  await pair.proxy.client.apply({ state: wanted(pair.proxy, "www") });
  const { database } = pair.proxy;
  const coordinator = database.safekeeping?.identity.id ?? "";
  await pair.proxy[Symbol.asyncDispose]();
  // As if the decision on this one had not come any more; and one that is somebody else's.
  const sets = [{ zone: "a.example", name: "x", type: "A", values: ["192.0.2.1"] }];
  const [waiting] = mcns.control.prepared.list();
  assert.equal(waiting?.coordinator, coordinator);
  // Given up by hand: what is decided is made all the same.
  await callDnsRest(pair.server, { method: "DELETE", path: `/v1/changes/${waiting?.id}` });
  const lost = { id: "lost", coordinator, sets };
  await callDnsRest(pair.server, { method: "POST", path: "/v1/changes", body: lost });
  const zone = { name: "b.example", "name_servers": ["ns"] };
  await callDnsRest(pair.server, { method: "POST", path: "/v1/zones", body: zone });
  const other = { id: "other", coordinator: "another", sets: [{ ...sets[0], zone: "b.example" }] };
  await callDnsRest(pair.server, { method: "POST", path: "/v1/changes", body: other });
  gate.watch = () => {};
  const proxy = await startProxySide(gate, { folder: folder.path });
  const after = { ...pair, proxy };
  try {
    proxy.control.nameServer.changes?.start();
    const kept = () => mcns.control.prepared.list().map(({ id }) => id);
    await eventually(() => !kept().includes("lost"), "what was kept is given up");
    await proxy.control.nameServer.changes?.settle();
    assert.deepEqual(kept(), ["other"], "what is somebody else's stays");
    await callDnsRest(pair.server, { method: "DELETE", path: "/v1/changes/other" });
    assert.equal(await settled(after, "www"), true);
    assert.deepEqual(await recordsOf(after, "x"), []);
  } finally {
    await proxy[Symbol.asyncDispose]();
  }
});
