import assert from "node:assert/strict";
import { type ResolvConf } from "../../../lib/dns/mod.ts";
import { DescriptorBudget, DESCRIPTORS_BYTES } from "../../../lib/observe/mod.ts";
import { Resolver, type ResolverOptions } from "../../../lib/resolver/mod.ts";
import { eventually, withinDeadline } from "../../support/deadline.ts";
import {
  answerTo,
  type Asked,
  type Behaviour,
  DnsServer,
  nameOf,
  respondWith,
  soaData,
} from "../../support/dns_server.ts";

const CONF: ResolvConf = {
  servers: ["127.0.0.1"],
  search: [],
  ndots: 1,
  timeoutMs: 400,
  attempts: 1,
};

interface Fixture extends AsyncDisposable {
  readonly server: DnsServer;
  readonly resolver: Resolver;
  readonly lookup: (host: string) => Promise<string[]>;
}

function start(
  behave: Behaviour,
  { hosts = new Map(), options = {}, ...conf }:
    & Partial<ResolvConf>
    & { hosts?: Map<string, string[]>; options?: ResolverOptions } = {},
): Fixture {
  const server = DnsServer.start(behave);
  const resolvConf = { ...CONF, ...conf };
  const servers = resolvConf.servers.map((hostname) => ({ hostname, port: server.port }));
  const settings = { hosts, resolvConf, servers };
  const resolver = new Resolver(settings, options);
  return {
    server,
    resolver,
    lookup: (host) => withinDeadline(resolver.lookup(host), `lookup of ${host}`),
    async [Symbol.asyncDispose]() {
      resolver[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const honest = (asked: Asked) => respondWith(asked, "192.0.2.1");
const silent = () => [];

Deno.test("Resolver finds both families, IPv6 first, and remembers them", async () => {
  await using it = start((asked) => [
    answerTo(asked.message, {
      answers: asked.type === 1
        ? [{ name: asked.name, type: "A", data: "192.0.2.1" }]
        : [{ name: asked.name, type: "AAAA", data: "2001:db8::1" }],
    }),
  ]);
  assert.deepEqual(await it.lookup("a.test"), ["2001:db8::1", "192.0.2.1"]);
  assert.deepEqual(await it.lookup("A.test."), ["2001:db8::1", "192.0.2.1"]);
  assert.equal(it.server.asked.length, 2);
});

Deno.test("Resolver asks each question from another port with another id", async () => {
  await using it = start(honest);
  for (let i = 0; i < 8; i++) await it.lookup(`n${i}.test`);
  const { asked } = it.server;
  assert.equal(asked.length, 16);
  assert(new Set(asked.map(({ port }) => port)).size > 12);
  assert(new Set(asked.map(({ message }) => message.header.id)).size > 12);
});

Deno.test("Resolver lets many who ask at once share one question of each family", async () => {
  await using it = start(honest);
  const found = await Promise.all(Array.from({ length: 50 }, () => it.lookup("a.test")));
  assert(found.every(([address]) => address === "192.0.2.1"));
  assert.equal(it.server.asked.length, 2);
});

Deno.test("Resolver does not let a hundred names that hang delay another one", async () => {
  await using it = start((asked) => asked.name.startsWith("hang") ? silent() : honest(asked), {
    timeoutMs: 5000,
  });
  const hanging = Array.from({ length: 100 }, (_, i) => it.resolver.lookup(`hang${i}.test`));
  await eventually(() => it.server.asked.length === 200, "all of them are asked for");
  for (let i = 0; i < 20; i++) {
    const before = performance.now();
    assert.deepEqual(await it.lookup(`quick${i}.test`), ["192.0.2.1"]);
    assert(performance.now() - before < 2500, "not after those that hang");
  }
  it.resolver[Symbol.dispose]();
  const ended = await Promise.allSettled(hanging);
  assert(ended.every(({ status }) => status === "rejected"));
});

Deno.test("Resolver prefers the hosts file, and never asks for localhost", async () => {
  const hosts = new Map([["a.test", ["192.0.2.9"]]]);
  await using it = start(honest, { hosts });
  assert.deepEqual(await it.lookup("A.test"), ["192.0.2.9"]);
  assert.deepEqual(await it.lookup("localhost"), ["127.0.0.1", "::1"]);
  assert.deepEqual(await it.lookup("x.localhost"), ["127.0.0.1", "::1"]);
  assert.equal(it.server.asked.length, 0);
});

Deno.test("Resolver follows changed files", async () => {
  await using it = start(honest);
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
  const servers = [{ hostname: "127.0.0.1", port: it.server.port }];
  const settings = { resolvConf: { ...CONF, attempts: 2 }, servers };
  it.server.behave = (asked) => respondWith(asked, "192.0.2.2");
  it.resolver.update({ hosts: new Map([["b.test", ["192.0.2.9"]]]), ...settings });
  assert.deepEqual(await it.lookup("b.test"), ["192.0.2.9"]);
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.2"]);
});

for (
  const [host, ndots, expected] of [
    ["a", 1, ["a.one.test", "a.two.test", "a"]],
    ["a.b", 1, ["a.b", "a.b.one.test", "a.b.two.test"]],
    ["a.b", 2, ["a.b.one.test", "a.b.two.test", "a.b"]],
    ["a.b.", 5, ["a.b"]],
  ] as const
) {
  Deno.test(`Resolver tries ${host} with ndots ${ndots} as ${expected.join(", ")}`, async () => {
    const negative = (asked: Asked) => [answerTo(asked.message, { code: 3 })];
    await using it = start(negative, { search: ["one.test", "two.test"], ndots });
    await assert.rejects(it.lookup(host), { name: "ResolveError", code: "no_address" });
    assert.deepEqual(
      it.server.asked.filter(({ type }) => type === 1).map(({ name }) => name),
      expected,
    );
  });
}

Deno.test("Resolver remembers that a name has no address, for as long as the zone says", async () => {
  let now = 0;
  const authorities = [{ name: "test", type: "SOA", data: soaData(20) }] as const;
  await using it = start((asked) => [answerTo(asked.message, { code: 3, authorities })], {
    options: { now: () => now },
  });
  await assert.rejects(it.lookup("a.test"));
  now = 19_999;
  await assert.rejects(it.lookup("a.test"));
  assert.equal(it.server.count("a.test", 1), 1);
  now = 20_000;
  await assert.rejects(it.lookup("a.test"));
  assert.equal(it.server.count("a.test", 1), 2);
});

Deno.test("Resolver asks again when an answer is over, and answers with it while servers are silent", async () => {
  let now = 0;
  const budget = new DescriptorBudget(new SharedArrayBuffer(DESCRIPTORS_BYTES));
  await using it = start((asked) => respondWith(asked, "192.0.2.1", 10), {
    options: { now: () => now, descriptors: budget.of(0) },
  });
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
  it.server.behave = silent;
  now = 10_000;
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
  await eventually(() => it.server.count("a.test", 1) === 2, "it is asked again");
  await eventually(() => budget.used === 0, "the question has failed");
  for (let i = 0; i < 5; i++) assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
  assert.equal(it.server.count("a.test", 1), 2);
  // A day later it is too old.
  now = 10_000 + 86_400_000;
  await assert.rejects(it.lookup("a.test"), { name: "ResolveError", code: "unavailable" });
});

Deno.test("Resolver takes a new address as soon as it is told", async () => {
  let now = 0;
  await using it = start((asked) => respondWith(asked, "192.0.2.1", 10), {
    options: { now: () => now },
  });
  await it.lookup("a.test");
  it.server.behave = (asked) => respondWith(asked, "192.0.2.2", 10);
  now = 10_001;
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.2"]);
});

Deno.test("Resolver asks a name of TTL 0 once in a second, not for each connection", async () => {
  let now = 0;
  await using it = start((asked) => respondWith(asked, "192.0.2.1", 0), {
    options: { now: () => now },
  });
  for (now = 0; now < 1000; now += 100) await it.lookup("a.test");
  assert.equal(it.server.count("a.test", 1), 1);
});

Deno.test("Resolver remembers a failure for a moment", async () => {
  let now = 0;
  await using it = start((asked) => [answerTo(asked.message, { code: 2 })], {
    options: { now: () => now },
  });
  for (let i = 0; i < 5; i++) await assert.rejects(it.lookup("a.test"), { code: "unavailable" });
  assert.equal(it.server.count("a.test", 1), 1);
  now = 2000;
  it.server.behave = honest;
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
});

Deno.test("Resolver does not wait for AAAA when it has an address", async () => {
  await using it = start((asked) => asked.type === 28 ? silent() : honest(asked), {
    timeoutMs: 60_000,
  });
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
});

/** What is sent before, or instead of, the honest answer; none of it may be believed. */
const LIES: readonly (readonly [what: string, lie: (asked: Asked) => Uint8Array])[] = [
  ["another id", (asked) => forged(asked, { id: asked.message.header.id ^ 1 })],
  ["another name", (asked) => forged(asked, { question: { name: "b.test", type: asked.type } })],
  ["another type", (asked) => forged(asked, { question: { name: asked.name, type: 16 } })],
  ["no question", (asked) => forged(asked, { question: "none" })],
  ["a question", (asked) => forged(asked, { flags: 0x0100 })],
  ["another operation", (asked) => forged(asked, { flags: 0xa980 })],
  ["half a message", (asked) => forged(asked, {}).subarray(0, 30)],
  ["a loop of pointers", (asked) => {
    const bytes = forged(asked, {});
    bytes.set([0xc0, 12], 12);
    return bytes;
  }],
  ["nothing at all", () => new Uint8Array()],
  ["noise", () => crypto.getRandomValues(new Uint8Array(512))],
];

function forged(asked: Asked, parts: Parameters<typeof answerTo>[1]): Uint8Array {
  const type = asked.type === 1 ? "A" : "AAAA";
  const data = asked.type === 1 ? "203.0.113.66" : "2001:db8::66";
  return answerTo(asked.message, { answers: [{ name: asked.name, type, data }], ...parts });
}

for (const [what, lie] of LIES) {
  Deno.test(`Resolver waits on past a datagram with ${what}`, async () => {
    await using it = start((asked) => [lie(asked), ...honest(asked)]);
    assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
  });

  Deno.test(`Resolver asks over TCP when somebody floods it with ${what}`, async () => {
    await using it = start(
      (asked) =>
        asked.over === "tcp" ? honest(asked) : Array.from({ length: 40 }, () => lie(asked)),
      {
        timeoutMs: 5000,
      },
    );
    assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
  });

  Deno.test(`Resolver refuses ${what} over TCP`, async () => {
    await using it = start((asked) =>
      asked.over === "tcp" ? [lie(asked)] : [answerTo(asked.message, { truncated: true })]
    );
    await assert.rejects(it.lookup("a.test"), { code: "unavailable" });
  });
}

for (const from of ["another port", "another address"]) {
  Deno.test(`Resolver ignores a datagram from ${from} than it asked`, async () => {
    let stranger: Deno.DatagramConn | undefined;
    try {
      await using it = start(async (asked) => {
        const to = { transport: "udp", hostname: "127.0.0.1", port: asked.port } as const;
        await stranger?.send(forged(asked, {}), to);
        return honest(asked);
      });
      stranger = Deno.listenDatagram({
        transport: "udp",
        ...from === "another port"
          ? { hostname: "127.0.0.1", port: 0 }
          : { hostname: "127.0.0.3", port: it.server.port },
      });
      assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
    } finally {
      stranger?.close();
    }
  });
}

Deno.test("Resolver asks over TCP when the answer is cut off", async () => {
  await using it = start((asked) =>
    asked.over === "tcp" ? honest(asked) : [answerTo(asked.message, { truncated: true })]
  );
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
  assert.equal(it.server.asked.filter(({ over }) => over === "tcp").length, 2);
});

Deno.test("Resolver ends when TCP hangs", async () => {
  await using it = start((asked) =>
    asked.over === "tcp" ? silent() : [answerTo(asked.message, { truncated: true })]
  );
  await assert.rejects(it.lookup("a.test"), { code: "unavailable" });
});

Deno.test("Resolver does not remember what was not asked", async () => {
  const bank = { name: "bank.test", type: "A", data: "203.0.113.66" } as const;
  await using it = start((asked) =>
    asked.name === "bank.test" ? honest(asked) : [
      answerTo(asked.message, {
        answers: [{ name: asked.name, type: "A", data: "192.0.2.7" }, bank],
        additionals: [bank],
      }),
    ]
  );
  await it.lookup("a.test");
  assert.deepEqual(await it.lookup("bank.test"), ["192.0.2.1"]);
});

Deno.test("Resolver follows an alias to a name that it has to ask for, and no ring of them", async () => {
  const leads: Record<string, string> = {
    "a.test": "b.test",
    "x.test": "y.test",
    "y.test": "x.test",
  };
  await using it = start((asked) => {
    const target = leads[asked.name];
    if (target === undefined) return honest(asked);
    return [
      answerTo(asked.message, { answers: [{ name: asked.name, type: "CNAME", data: target }] }),
    ];
  });
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
  await assert.rejects(it.lookup("x.test"), { code: "unavailable" });
  assert(it.server.count("x.test", 1) < 10);
});

Deno.test("Resolver asks without EDNS where that is not understood", async () => {
  await using it = start((asked) =>
    asked.message.additionals.length > 0
      ? [answerTo(asked.message, { code: 1, question: "none" })]
      : honest(asked)
  );
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
});

Deno.test("Resolver asks the next server, and a silent one last from then on", async () => {
  // Nobody answers at 127.0.0.2.
  await using it = start(honest, { servers: ["127.0.0.2", "127.0.0.1"], timeoutMs: 300 });
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
  const before = performance.now();
  for (let i = 0; i < 10; i++) await it.lookup(`n${i}.test`);
  assert(performance.now() - before < 10 * 300, "the silent server is not waited for each time");
});

Deno.test("Resolver asks so often as resolv.conf says", async () => {
  await using it = start(silent, { attempts: 3, timeoutMs: 60 });
  await assert.rejects(it.lookup("a.test"), { code: "unavailable" });
  assert.equal(it.server.count("a.test", 1), 3);
});

Deno.test("Resolver refuses more questions under way than a bound", async () => {
  await using it = start(silent, { timeoutMs: 20_000 });
  const asked = Array.from({ length: 256 }, (_, i) => it.resolver.lookup(`n${i}.test`));
  await assert.rejects(it.lookup("one-more.test"), { code: "unavailable" });
  it.resolver[Symbol.dispose]();
  await Promise.allSettled(asked);
});

Deno.test("Resolver refuses a name that is none", async () => {
  await using it = start(honest);
  await assert.rejects(it.lookup("a..test"));
  await assert.rejects(it.lookup(`${"a".repeat(64)}.test`));
  assert.equal(it.server.asked.length, 0);
  assert.equal(nameOf("a.test").length, 8);
});

Deno.test("Resolver takes a descriptor for each question under way and gives it back", async () => {
  const budget = new DescriptorBudget(new SharedArrayBuffer(DESCRIPTORS_BYTES));
  budget.limit = 4; // Two names, of two families each.
  const options = { descriptors: budget.of(0) };
  await using it = start((asked) => asked.name === "a.test" ? honest(asked) : [], { options });
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"]);
  assert.equal(budget.used, 0);
  const hanging = ["h1.test", "h2.test"].map((name) => it.resolver.lookup(name).catch(() => {}));
  await eventually(() => it.server.asked.length === 6, "they are asked for");
  assert.equal(budget.used, 4);
  await assert.rejects(it.lookup("b.test"), { code: "unavailable" });
  assert.equal(it.server.asked.length, 6, "for b.test nobody is asked");
  assert.deepEqual(await it.lookup("a.test"), ["192.0.2.1"], "what is known needs none");
  await Promise.all(hanging);
  assert.equal(budget.used, 0);
  await it.resolver.lookup("b.test").catch(() => {});
  assert(it.server.asked.some(({ name }) => name === "b.test"), "it was not held against the name");
  await eventually(() => budget.used === 0, "all are given back");
});
