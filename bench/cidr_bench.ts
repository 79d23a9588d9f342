/**
 * What the firewall costs per connection, and what compiling it costs, at 10, 10,000 and 1,000,000
 * rules. Aim: at most 1 µs for a verdict at 10,000 rules; more rules may only cost cache misses.
 * "No rules" shows what the loop itself costs, which is mostly fetching the addresses.
 * Run: `deno bench -A bench/cidr_bench.ts`.
 */
import { formatCidr, formatIp, type IpAddress, ipFromBytes, parseIp } from "../lib/addr/mod.ts";
import {
  type CompiledFirewall,
  compileFirewall,
  createFirewall,
  createRateLimiter,
  type FirewallRule,
  patchFirewall,
} from "../lib/firewall/mod.ts";
import { createRandom, type Random } from "../tests/support/fuzz.ts";

/** Addresses looked up in turn: too many for the processor's first caches. */
const ADDRESSES = 2 ** 17;
const SIZES = [0, 10, 10_000, 1_000_000];
const random = createRandom(1);

function randomBytes(family: 4 | 6): Uint8Array {
  const bytes = random.bytes(family === 4 ? 4 : 16);
  // In 2000::/3, as public addresses are.
  if (family === 6) bytes[0] = 0x20 | (bytes[0] ?? 0) & 0x1f;
  return bytes;
}

/** Lists as they are: mostly addresses, many blocks of the usual lengths, some of any length. */
function randomRule(random: Random, id: number, family: 4 | 6): FirewallRule {
  const bytes = randomBytes(family);
  const kind = random.below(10);
  if (kind < 6) return { id, type: "ip", value: formatIp(ipFromBytes(bytes)) };
  const usual = family === 4 ? [24] : [48, 64];
  const any = family === 4 ? 16 + random.below(17) : 32 + random.below(97);
  const prefixLength = kind < 9 ? random.pick(usual) : any;
  for (let bit = prefixLength; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) & ~(0x80 >> (bit & 7));
  }
  return { id, type: "cidr", value: formatCidr({ address: ipFromBytes(bytes), prefixLength }) };
}

/** Addresses that rules cover: the first of each block. */
function coveredAddresses(rules: readonly FirewallRule[]): IpAddress[] {
  return Array.from({ length: ADDRESSES }, (_, i) => {
    const value = rules[i * 7919 % rules.length]?.value.split("/")[0];
    const ip = parseIp(value ?? "");
    if (!ip.ok) throw new TypeError(`the rule "${value}" has no address: ${ip.reason}`);
    return ip.value;
  });
}

function megabytes({ v4, v6 }: CompiledFirewall): string {
  let bytes = 0;
  for (const { base: { slots, parents, rules } } of [v4, v6]) {
    bytes += slots.byteLength + parents.byteLength;
    bytes += rules.ids.byteLength + rules.words.byteLength + rules.ranks.byteLength;
  }
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function benchChecks(name: string, compiled: CompiledFirewall, addresses: IpAddress[]): void {
  const firewall = createFirewall(compiled);
  let at = 0;
  Deno.bench(name, { group: name.slice(0, name.indexOf(",")) }, () => {
    const ip = addresses[at++ & (ADDRESSES - 1)];
    if (ip !== undefined) firewall.check(ip);
  });
}

for (const family of [4, 6] as const) {
  const anyAddresses = Array.from({ length: ADDRESSES }, () => ipFromBytes(randomBytes(family)));
  for (const size of SIZES) {
    const rules = Array.from({ length: size }, (_, id) => randomRule(random, id, family));
    const compiled = compileFirewall(rules);
    const label = size === 0
      ? "no rules"
      : `${size.toLocaleString("en")} rules (${megabytes(compiled)})`;
    benchChecks(`IPv${family} anywhere, ${label}`, compiled, anyAddresses);
    if (size > 0) {
      benchChecks(`IPv${family} covered, ${label}`, compiled, coveredAddresses(rules));
      benchChanges(`IPv${family}`, label, rules, compiled);
    }
  }
}

function benchChanges(
  family: string,
  label: string,
  rules: readonly FirewallRule[],
  compiled: CompiledFirewall,
): void {
  const once = { group: `${family} changes`, n: 1, warmup: 0 };
  Deno.bench(`${family} compile ${label}`, once, () => void compileFirewall(rules));
  const value = family === "IPv4" ? "192.0.2.1" : "2001:db8::1";
  Deno.bench(`${family} add one and remove one of ${label}`, { ...once, n: 20 }, () => {
    patchFirewall(compiled, { add: [{ id: -1, type: "ip", value }], remove: [1] });
  });
}

for (const [name, count] of [["one source", 1], ["131,072 sources", ADDRESSES]] as const) {
  const key = Uint32Array.from({ length: 4 }, () => random.below(2 ** 32));
  const limiter = createRateLimiter({ limit: 20, windowMs: 10_000, key });
  const sources = Array.from({ length: count }, () => ipFromBytes(randomBytes(4)));
  let at = 0;
  Deno.bench(`rate limiter, ${name}`, { group: "rate limiter" }, () => {
    const ip = sources[at++ & (count - 1)];
    if (ip !== undefined) limiter.admit(ip, at / 100);
  });
}
