import assert from "node:assert/strict";
import { formatIp, parseHostname, parseIp } from "../../../lib/addr/mod.ts";
import {
  CLASS_IN,
  encodeQuery,
  type Message,
  nameFromText,
  nameToText,
  parseHosts,
  parseMessage,
  parseResolvConf,
  readAddressAnswer,
  readName,
  TYPE,
} from "../../../lib/dns/mod.ts";
import { answerTo, nameOf, soaData } from "../../support/dns_server.ts";
import type { Random } from "../../support/fuzz.ts";
import { bytesOf, disturb, type FuzzTarget, textOf } from "../../support/fuzz_target.ts";

const NAMES = ["a.test", "b.test", "c.test", "test", `${"x".repeat(63)}.test`];

function randomAnswer(random: Random): Uint8Array {
  const query = parseMessage(
    encodeQuery({ id: random.below(65_536), name: nameOf("a.test"), type: random.pick([1, 28]) }),
  );
  assert(query.ok);
  const name = () => random.pick(NAMES);
  const answers = Array.from({ length: random.below(5) }, () => {
    const ttl = random.pick([0, 1, 60, 0x7fffffff, 0x80000000]);
    switch (random.below(3)) {
      case 0:
        return { name: name(), type: "CNAME", ttl, data: name() } as const;
      case 1:
        return { name: name(), type: "A", ttl, data: "192.0.2.1" } as const;
      default:
        return { name: name(), type: "AAAA", ttl, data: "2001:db8::1" } as const;
    }
  });
  const authorities = random.below(2) === 0
    ? [{ name: "test", type: "SOA", data: soaData(random.below(100)) } as const]
    : [];
  return answerTo(query.value, { answers, authorities });
}

function* namesOf({ questions, answers, authorities, additionals }: Message) {
  for (const { name } of [...questions, ...answers, ...authorities, ...additionals]) yield name;
}

/** Messages of name servers, and what they say of addresses. */
export const DNS_MESSAGE: FuzzTarget = {
  name: "dns_message",
  rounds: 6000,
  make: randomAnswer,
  check(bytes) {
    const before = bytes.slice();
    const message = parseMessage(bytes);
    assert.deepEqual(bytes, before, "the input was changed");
    for (let at = 0; at < Math.min(bytes.length, 40); at++) {
      const found = readName(bytes, at);
      assert.ok(found === undefined || found.next > at && found.next <= bytes.length);
    }
    if (!message.ok) return;
    assert.equal(parseMessage(bytes.subarray(0, bytes.length - 1)).ok, false);
    assert.equal(parseMessage(Uint8Array.from([...bytes, 0])).ok, false);
    for (const name of namesOf(message.value)) {
      assert.ok(name.length <= 255);
      // What is shown of a name is that name and no other.
      assert.deepEqual(nameFromText(nameToText(name)), { ok: true, value: name });
    }
    const { answers, authorities, additionals } = message.value;
    for (
      const { type, data: { start, end }, ttl } of [...answers, ...authorities, ...additionals]
    ) {
      assert.ok(start <= end && end <= bytes.length);
      // OPT has other things in the place of a TTL.
      assert.ok(ttl <= 0x7fffffff || type === TYPE.OPT);
    }
    for (const type of [1, 28]) {
      const name = message.value.questions[0]?.name ?? nameOf("a.test");
      const answer = readAddressAnswer(message.value, bytes, { name, type, class: CLASS_IN });
      if (answer.kind !== "addresses") continue;
      assert.notEqual(answer.addresses.length, 0);
      for (const address of answer.addresses) {
        const ip = parseIp(address);
        assert.ok(ip.ok && formatIp(ip.value) === address, address);
      }
    }
  },
};

const RESOLV_CONF = `nameserver 192.0.2.1
nameserver 2001:db8::1
search a.test b.test
options ndots:2 timeout:3 attempts:1
; a comment
`;
const HOSTS = `127.0.0.1 localhost
::1 localhost ip6-localhost # here
192.0.2.1\ta.test  b.test
fe80::1%lo c.test
`;
const WORDS = [
  "nameserver ",
  "search ",
  "domain ",
  "options ",
  "ndots:99",
  "timeout:9999",
  "attempts:-1",
  "#",
  ";",
  "%",
  "\n",
  "\r\n",
  "\t",
  "\0",
  "\ud800",
  ".",
  "..",
  "::",
  "999",
  "a".repeat(64),
];

const isIp = (text: string) => {
  const ip = parseIp(text);
  return ip.ok && formatIp(ip.value) === text;
};
const isHostname = (text: string) => {
  const name = parseHostname(text);
  return name.ok && name.value === text;
};

/** The files that the system's resolver reads. */
export const RESOLVER_FILES: FuzzTarget = {
  name: "resolver_files",
  rounds: 5000,
  make: (random) => bytesOf(disturb(random.pick([RESOLV_CONF, HOSTS]), WORDS, random)),
  check(bytes) {
    const text = textOf(bytes);
    const { servers, search, ndots, timeoutMs = 1000, attempts } = parseResolvConf(text);
    assert.ok(servers.length >= 1 && servers.length <= 3 && servers.every(isIp), String(servers));
    assert.ok(search.length <= 6 && search.every(isHostname), String(search));
    assert.ok(ndots >= 0 && ndots <= 15);
    assert.ok(timeoutMs >= 1000 && timeoutMs <= 30_000);
    assert.ok(attempts >= 1 && attempts <= 5);
    const hosts = parseHosts(text);
    for (const [name, addresses] of hosts) {
      assert.ok(isHostname(name), name);
      assert.ok(addresses.length > 0 && addresses.every(isIp), String(addresses));
      assert.equal(new Set(addresses).size, addresses.length, "none twice");
    }
    // A line that says nothing changes nothing.
    assert.deepEqual(parseHosts(`# first\n\n${text}`), hosts);
  },
};
