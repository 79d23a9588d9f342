import assert from "node:assert/strict";
import { type IpAddress, parseIp } from "../../../lib/addr/mod.ts";
import {
  compileAllowList,
  compileFirewall,
  consider,
  createConnectionLimiter,
  createFirewall,
  createRateLimiter,
  type FirewallRule,
  type GeoIp,
  judge,
  MAX_OVERLAY_RULES,
  patchFirewall,
  type RuleType,
} from "../../../lib/firewall/mod.ts";

const KEY = Uint32Array.of(1, 2, 3, 4);

function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  assert(parsed.ok, text);
  return parsed.value;
}

let nextId = 1;
const rule = (type: RuleType, value: string): FirewallRule => ({ id: nextId++, type, value });
const allow = (type: RuleType, value: string, skipRateLimit = false): FirewallRule => ({
  ...rule(type, value),
  action: "allow",
  ...skipRateLimit && { skipRateLimit },
});

/** 192.0.2.0/24 is in NL, everything else in DE. */
const GEOIP: GeoIp = {
  country: (address) => address.family === 4 && address.w3 >>> 8 === 0xc00002 ? "NL" : "DE",
  buildEpoch: 0,
  databaseType: "fake",
  decodeErrors: 0,
};

function verdict(rules: readonly FirewallRule[], address: string): string {
  const found = createFirewall(compileFirewall(rules), GEOIP).check(ip(address));
  return found.action === "block" ? `${found.rule.type} ${found.rule.value}` : "allowed";
}

Deno.test.each(
  [
    [
      "exempts from a block of addresses",
      [allow("ip", "192.0.2.1"), rule("cidr", "192.0.2.0/24")],
      {
        "192.0.2.1": "allowed",
        "192.0.2.2": "cidr 192.0.2.0/24",
      },
    ],
    ["exempts from a wider and from a narrower block", [
      allow("cidr", "192.0.2.0/25"),
      rule("cidr", "192.0.0.0/16"),
      rule("cidr", "192.0.2.16/28"),
    ], { "192.0.2.17": "allowed", "192.0.2.129": "cidr 192.0.0.0/16" }],
    ["exempts from a country", [allow("cidr", "192.0.2.0/25"), rule("country", "NL")], {
      "192.0.2.1": "allowed",
      "192.0.2.200": "country NL",
    }],
    ["of a country exempts from a block", [allow("country", "NL"), rule("cidr", "0.0.0.0/0")], {
      "192.0.2.1": "allowed",
      "192.0.3.1": "cidr 0.0.0.0/0",
    }],
    ["of a block does not exempt from one address", [
      allow("cidr", "192.0.2.0/24"),
      rule("ip", "192.0.2.1"),
      rule("country", "NL"),
    ], { "192.0.2.1": "ip 192.0.2.1", "192.0.2.2": "allowed" }],
    ["of one address exempts from a block of it", [
      allow("ip", "192.0.2.1"),
      rule("ip", "192.0.2.1"),
    ], { "192.0.2.1": "allowed" }],
    ["refuses nobody by itself", [allow("ip", "192.0.2.1")], { "198.51.100.1": "allowed" }],
    // Whoever is reached by NAT64 is the IPv4 client, whom a rule blocks.
    ["of an IPv6 block does not hide the IPv4 address in it", [
      allow("cidr", "64:ff9b::/96"),
      rule("ip", "192.0.2.1"),
      rule("cidr", "192.0.2.0/25"),
    ], { "64:ff9b::192.0.2.1": "ip 192.0.2.1", "64:ff9b::192.0.2.2": "allowed" }],
    ["of an IPv4 address holds for the IPv6 address that stands for it", [
      allow("ip", "192.0.2.1"),
      rule("cidr", "192.0.2.0/24"),
    ], { "64:ff9b::192.0.2.1": "allowed", "64:ff9b::192.0.2.2": "cidr 192.0.2.0/24" }],
  ] as const,
)("a rule that allows %s", (_claim, rules, expected) => {
  for (const [address, wanted] of Object.entries(expected)) {
    assert.equal(verdict(rules, address), wanted, address);
    assert.equal(verdict(rules.toReversed(), address), wanted, address);
  }
});

Deno.test("check() allocates nothing for who is allowed by a rule: one object for all", () => {
  const firewall = createFirewall(compileFirewall([allow("cidr", "192.0.2.0/24")]));
  const verdict = firewall.check(ip("192.0.2.1"));
  assert.deepEqual(verdict, { action: "allow", byRule: true });
  assert.equal(firewall.check(ip("192.0.2.2")), verdict);
});

Deno.test("patchFirewall() adds and removes rules that allow as those that block", () => {
  const block = rule("cidr", "192.0.2.0/24");
  const first = allow("ip", "192.0.2.1");
  const second = allow("cidr", "192.0.2.0/25", true);
  const sees = (compiled: ReturnType<typeof compileFirewall>) => {
    const firewall = createFirewall(compiled);
    return ["192.0.2.1", "192.0.2.2", "192.0.2.200"].map((address) =>
      `${firewall.check(ip(address)).action}${firewall.skipsRateLimit(ip(address)) ? "!" : ""}`
    );
  };
  let compiled = compileFirewall([block]);
  compiled = patchFirewall(compiled, { add: [first] });
  assert.deepEqual(sees(compiled), ["allow", "block", "block"]);
  compiled = patchFirewall(compiled, { add: [second] });
  assert.deepEqual(sees(compiled), ["allow!", "allow!", "block"]);
  // One that goes on under its id and says something else.
  const { skipRateLimit: _, ...plain } = second;
  compiled = patchFirewall(compiled, { remove: [second.id], add: [plain] });
  assert.deepEqual(sees(compiled), ["allow", "allow", "block"]);
  compiled = patchFirewall(compiled, { remove: [first.id, second.id] });
  assert.deepEqual(sees(compiled), ["block", "block", "block"]);
  assert.equal(compiled.allowed, undefined);
  compiled = patchFirewall(compiled, { remove: [block.id] });
  assert.deepEqual(sees(compiled), ["allow", "allow", "allow"]);
});

Deno.test("patchFirewall() says of rules that allow what compiling all of them says, also past the overlay", () => {
  const many = Array.from(
    { length: MAX_OVERLAY_RULES + 10 },
    (_, i) => allow("ip", `10.0.${i >> 8}.${i & 255}`),
  );
  const base = compileFirewall([rule("cidr", "10.0.0.0/8")]);
  const [gone] = many;
  assert(gone);
  const patched = patchFirewall(patchFirewall(base, { add: many }), { remove: [gone.id] });
  const firewall = createFirewall(patched);
  assert.equal(firewall.check(ip(gone.value)).action, "block");
  for (const { value } of many.slice(1)) {
    assert.equal(firewall.check(ip(value)).action, "allow", value);
  }
});

Deno.test("compileAllowList() names those that it holds, and nobody else", () => {
  const list = compileAllowList({
    allowedIps: ["198.51.100.1", "2001:db8::1"],
    allowedCidrs: ["203.0.113.0/24"],
    allowedCountries: ["NL"],
  }, GEOIP);
  assert(list);
  const found = (address: string) => {
    const entry = list.find(ip(address));
    assert.equal(list.holds(ip(address)), entry !== undefined, address);
    return entry && `${entry.type} ${entry.value}`;
  };
  assert.equal(found("198.51.100.1"), "ip 198.51.100.1");
  assert.equal(found("203.0.113.9"), "cidr 203.0.113.0/24");
  assert.equal(found("192.0.2.1"), "country NL");
  assert.equal(found("2001:db8::1"), "ip 2001:db8::1");
  assert.equal(found("198.51.100.2"), undefined);
  // Only who is known by an IPv4 address is who an IPv4 entry means.
  assert.equal(found("64:ff9b::198.51.100.1"), undefined);
  assert.equal(compileAllowList({ allowedIps: [] }, GEOIP), undefined);
});

Deno.test("compileAllowList() with countries and no database lets nobody in", () => {
  const list = compileAllowList({ allowedCountries: ["NL"] }, undefined);
  assert.equal(list?.holds(ip("192.0.2.1")), false);
});

Deno.test("judge() and consider() agree, and only judge() counts", () => {
  const gates = {
    firewall: createFirewall(compileFirewall([
      rule("cidr", "10.0.0.0/8"),
      allow("ip", "192.0.2.7", true),
    ])),
    rateLimiter: createRateLimiter({ limit: 2, windowMs: 10_000, key: KEY }),
    connectionLimiter: createConnectionLimiter({ limit: 1, key: KEY, workers: 1 }),
  };
  const occasion = { nowMs: 1_000_000, worker: 0 };
  const asked = (address: string, nowMs = occasion.nowMs) =>
    consider(ip(address), gates, { nowMs }).refusal?.outcome;
  const told = (address: string) => judge(ip(address), gates, occasion).refusal?.outcome;
  for (let i = 0; i < 5; i++) assert.equal(asked("192.0.2.1"), undefined);
  assert.equal(told("192.0.2.1"), undefined);
  assert.equal(asked("192.0.2.1"), "too_many_from_source");
  assert.equal(told("192.0.2.1"), "too_many_from_source");
  // The second one was admitted by the rate limit before it was refused.
  assert.equal(asked("192.0.2.1"), "rate_limited");
  assert.deepEqual(consider(ip("192.0.2.1"), gates, { nowMs: occasion.nowMs + 4_000 }).rate, {
    count: 2,
    limit: 2,
    endsInMs: 6_000,
  });
  assert.equal(told("192.0.2.1"), "rate_limited");
  assert.equal(asked("192.0.2.1", occasion.nowMs + 10_000), "too_many_from_source");
  assert.equal(told("10.1.1.1"), "blocked");
  assert.equal(asked("10.1.1.1"), "blocked");
  const opinion = consider(ip("192.0.2.7"), gates, occasion);
  assert.equal(opinion.rate, undefined);
  assert.equal(opinion.skipsRateLimit, true);
  assert.equal(opinion.allowedBy?.value, "192.0.2.7");
  assert.equal(opinion.allowedBy?.action, "allow");
});

Deno.test("judge() holds the rate limit against a rule that allows and does not say otherwise", () => {
  const gates = {
    firewall: createFirewall(compileFirewall([
      allow("ip", "192.0.2.1"),
      allow("ip", "192.0.2.2", true),
    ])),
    rateLimiter: createRateLimiter({ limit: 1, windowMs: 10_000, key: KEY }),
  };
  const outcomes = (address: string) =>
    [1, 2, 3].map(() => judge(ip(address), gates, { nowMs: 5, worker: 0 }).refusal?.outcome);
  assert.deepEqual(outcomes("192.0.2.1"), [undefined, "rate_limited", "rate_limited"]);
  assert.deepEqual(outcomes("192.0.2.2"), [undefined, undefined, undefined]);
});

Deno.test("consider() of few gates tells of those alone", () => {
  const firewall = createFirewall(compileFirewall([
    rule("cidr", "10.0.0.0/8"),
    allow("ip", "192.0.2.7", true),
  ]));
  const at = { nowMs: 5000 };
  const client = ip("192.0.2.1");
  assert.deepEqual(consider(client, { firewall }, at), {});
  assert.deepEqual(Object.keys(consider(ip("10.0.0.1"), { firewall }, at)), ["refusal"]);
  assert.equal(firewall.allowing(client), undefined);

  const rateLimiter = createRateLimiter({ limit: 1, windowMs: 1000, key: KEY });
  const rate = { count: 0, limit: 1, endsInMs: 0 };
  assert.deepEqual(consider(client, { firewall, rateLimiter }, at), { rate });
  judge(client, { firewall, rateLimiter }, { ...at, worker: 0 });
  assert.deepEqual(consider(client, { firewall, rateLimiter }, at), {
    refusal: { outcome: "rate_limited" },
    rate: { count: 1, limit: 1, endsInMs: 1000 },
  });
  const exempt = consider(ip("192.0.2.7"), { firewall, rateLimiter }, at);
  assert.deepEqual(Object.keys(exempt), ["allowedBy", "skipsRateLimit"]);
  assert.deepEqual(Object.keys(consider(ip("192.0.2.7"), { firewall }, at)), ["allowedBy"]);

  const connectionLimiter = createConnectionLimiter({ limit: 2, key: KEY, workers: 1 });
  assert.deepEqual(consider(client, { firewall, connectionLimiter }, at), {
    open: { count: 0, limit: 2 },
  });
});

Deno.test("a rate limit of 0 refuses nobody", () => {
  const rateLimiter = createRateLimiter({ limit: 0, windowMs: 1000, key: KEY });
  const gates = { firewall: createFirewall(compileFirewall([])), rateLimiter };
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(judge(ip("192.0.2.1"), gates, { nowMs: 5, worker: 0 }), {});
    assert.equal(consider(ip("192.0.2.1"), gates, { nowMs: 5 }).refusal, undefined);
  }
});

Deno.test("judge() without limits lets in who is not blocked, and counts nobody", () => {
  const firewall = createFirewall(compileFirewall([rule("ip", "192.0.2.1")]));
  const occasion = { nowMs: 5, worker: 0 };
  assert.deepEqual(judge(ip("192.0.2.2"), { firewall }, occasion), {});
  assert.equal(judge(ip("192.0.2.1"), { firewall }, occasion).refusal?.outcome, "blocked");
});

Deno.test("compileAllowList() gives the type and the value of an entry, and nothing of its own", () => {
  const list = compileAllowList({ allowedIps: ["192.0.2.1"] }, undefined);
  assert.deepEqual(list?.find(ip("192.0.2.1")), { type: "ip", value: "192.0.2.1" });
  assert.equal(list?.find(ip("192.0.2.2")), undefined);
});

Deno.test("a compiled firewall has tables of what there are rules for, patched or not", () => {
  const block = rule("cidr", "10.0.0.0/8");
  const plain = allow("ip", "192.0.2.1");
  const wide = allow("ip", "192.0.2.2", true);
  const keys = (compiled: ReturnType<typeof compileFirewall>) => Object.keys(compiled).toSorted();
  const tables = ["countries", "v4", "v6"];
  assert.deepEqual(keys(compileFirewall([block])), tables);
  assert.deepEqual(keys(compileFirewall([block, plain])), ["allowed", ...tables]);
  const whole = compileFirewall([block, plain, wide]);
  assert.deepEqual(keys(whole), ["allowed", "countries", "unlimited", "v4", "v6"]);
  assert.deepEqual(keys(patchFirewall(compileFirewall([block]), {})), tables);
  assert.deepEqual(keys(patchFirewall(whole, { remove: [wide.id] })), ["allowed", ...tables]);
  // Of rules that block and rules that allow, each goes where it belongs.
  const patched = patchFirewall(compileFirewall([]), { add: [block, plain] });
  const firewall = createFirewall(patched);
  assert.equal(firewall.check(ip("10.0.0.1")).action, "block");
  assert.equal(firewall.allowing(ip("192.0.2.1"))?.id, plain.id);
  assert.equal(firewall.allowing(ip("10.0.0.1")), undefined);
});

Deno.test.each([
  ["ip", "192.0.2.1"],
  ["ip", "2001:db8::1"],
  ["country", "NL"],
] as [RuleType, string][])(
  "patchFirewall() keeps rules that allow while one %s is left, and no longer",
  (type, value) => {
    const left = allow(type, value);
    const others = [allow("ip", "192.0.2.2"), allow("ip", "2001:db8::2"), allow("country", "SE")];
    const remove = others.map(({ id }) => id);
    const base = compileFirewall([left, ...others]);
    // In the table, in what was added to it, and added after all of the table was removed.
    const kept = [
      patchFirewall(base, { remove }),
      patchFirewall(patchFirewall(compileFirewall(others), { add: [left] }), { remove }),
    ];
    for (const compiled of kept) {
      assert(compiled.allowed !== undefined);
      assert.equal(patchFirewall(compiled, { remove: [left.id] }).allowed, undefined);
    }
  },
);
