import assert from "node:assert/strict";
import {
  encodeQuery,
  octetsOf,
  octetString,
  parseMessage,
  rdataToText,
  readRdata,
  TYPE,
} from "../../../lib/dns/mod.ts";
import {
  AnswerSigner,
  createZoneKey,
  delegationSigners,
  exportZoneKey,
  importZoneKey,
  isKeyRole,
  type KeyRole,
  type SignedZone,
  signZone,
  type ZoneKey,
  zoneKeysOf,
} from "../../../lib/dnssec/mod.ts";
import { AuthoritativeAnswers, ZoneTable } from "../../../lib/zones/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { APEX, zoneOf } from "../../support/zone_samples.ts";

const TIME = 1_800_000_000;
const ZONE = zoneOf(
  "z.example.",
  `${APEX}www A 192.0.2.2\nwww A 192.0.2.1\nlong TXT "${"x".repeat(250)}"\n`,
);
const DAY = 86_400;

async function keyIn(role: KeyRole): Promise<ZoneKey> {
  const key = await importZoneKey(await createZoneKey(role));
  assert(key.ok);
  return key.value;
}

/** A record of an answer: its section, name, type and data in words. */
interface Said {
  readonly owner: string;
  readonly type: number;
  readonly data: Uint8Array;
  readonly text: string;
}

function read(octets: Uint8Array) {
  const message = parseMessage(octets);
  assert(message.ok, JSON.stringify(message));
  const words = (records: typeof message.value.answers): Said[] =>
    records.filter(({ type }) => type !== TYPE.OPT).map(({ name, type, data: place }) => {
      const data = readRdata(octets, type, place);
      assert(data !== undefined);
      return { owner: octetString(name), type, data, text: rdataToText(type, data) };
    });
  const { header, answers, authorities, additionals } = message.value;
  return { header, answers: words(answers), authorities: words(authorities), additionals };
}

/** Asks a signer as a server does. */
async function ask(
  signer: AnswerSigner,
  signed: SignedZone,
  { name = "www.z.example", type = TYPE.A as number, limit = 1232 } = {},
) {
  const query = encodeQuery({
    ...{ id: 1, name: nameOf(name), type, udpPayloadBytes: 1232, isDnssecOk: true },
  });
  const zones = new ZoneTable([signed.zone]);
  const answer = new AuthoritativeAnswers().answer(query, { zones, transport: "tcp" });
  assert(answer !== undefined);
  const octets = await signer.sign(answer, { signed, limit });
  return { octets, ...read(octets) };
}

/** Whether a signature is one of its set by the key; checked from the RFC's own words. */
async function isGood(
  records: readonly Said[],
  signature: Said,
  key: ZoneKey,
  canonical: (data: Uint8Array) => Uint8Array = (data) => data,
): Promise<boolean> {
  const signer = signature.data.subarray(18);
  let end = 0;
  while (signer[end] !== 0) end += 1 + (signer[end] as number);
  const head = signature.data.subarray(0, 18 + end + 1);
  const own = records.map(({ data }) => canonical(data)).sort((a, b) =>
    octetString(a) < octetString(b) ? -1 : 1
  );
  const parts: number[] = [...head];
  for (const data of own) {
    parts.push(...octetsOf((records[0]?.owner ?? "").toLowerCase()));
    parts.push(...signature.data.subarray(0, 2), 0, 1, ...signature.data.subarray(4, 8));
    parts.push(data.length >> 8, data.length & 255, ...data);
  }
  const point = Uint8Array.from([4, ...octetsOf(key.data).subarray(4)]);
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const publicKey = await crypto.subtle.importKey("raw", point, curve, false, ["verify"]);
  const how = { name: "ECDSA", hash: "SHA-256" };
  const made = signature.data.slice(head.length);
  return await crypto.subtle.verify(how, publicKey, made, Uint8Array.from(parts));
}

const u32 = (data: Uint8Array, at: number) =>
  new DataView(data.buffer, data.byteOffset).getUint32(at);

Deno.test("AnswerSigner signs a set in canonical order, from an hour ago to a week and up to a day on", async () => {
  const key = await keyIn("active");
  const signed = signZone(ZONE, await zoneKeysOf(ZONE.origin, [key]));
  const { answers, header } = await ask(new AnswerSigner({ now: () => TIME }), signed);
  assert.equal(header.isAuthoritative, true);
  const [first, second, signature, ...more] = answers;
  assert(first && second && signature);
  assert.deepEqual(more, []);
  assert.equal(signature.type, TYPE.RRSIG);
  assert.equal(await isGood([first, second], signature, key), true);
  assert.equal(await isGood([first], signature, key), false);
  assert.equal(signature.data[2], 13);
  assert.equal(signature.data[3], 3); // Labels.
  assert.equal(u32(signature.data, 12), TIME - 3600);
  const left = u32(signature.data, 8) - TIME;
  assert.ok(left >= 7 * DAY && left < 8 * DAY, `${left}`);
});

Deno.test("AnswerSigner lets signatures of different names end at different times", async () => {
  const names = Array.from({ length: 8 }, (_, i) => `n${i}`);
  const zone = zoneOf("z.example.", APEX + names.map((name) => `${name} A 192.0.2.1\n`).join(""));
  const signed = signZone(zone, await zoneKeysOf(zone.origin, [await keyIn("active")]));
  const signer = new AnswerSigner({ now: () => TIME });
  const ends = new Set<number>();
  for (const name of names) {
    const { answers } = await ask(signer, signed, { name: `${name}.z.example` });
    ends.add(u32(answers.at(-1)?.data ?? new Uint8Array(12), 8));
  }
  assert.ok(ends.size > 4);
});

Deno.test("AnswerSigner makes a signature once, until it has three days left", async () => {
  let now = TIME;
  const signed = signZone(ZONE, await zoneKeysOf(ZONE.origin, [await keyIn("active")]));
  const signer = new AnswerSigner({ now: () => now });
  const first = await ask(signer, signed);
  const zones = new ZoneTable([signed.zone]);
  const query = encodeQuery({
    ...{ id: 1, name: nameOf("www.z.example"), type: 1, udpPayloadBytes: 1232, isDnssecOk: true },
  });
  const answer = new AuthoritativeAnswers().answer(query, { zones, transport: "tcp" });
  assert(answer !== undefined);
  // At once: nobody has to wait for what is known.
  assert.deepEqual(signer.sign(answer, { signed, limit: 1232 }), first.octets);
  assert.equal(signer.status.made, 1);
  const end = u32(first.answers.at(-1)?.data ?? new Uint8Array(12), 8);
  now = end - 3 * DAY - 1;
  await ask(signer, signed);
  assert.equal(signer.status.made, 1);
  now++;
  await ask(signer, signed);
  assert.equal(signer.status.made, 2);
});

Deno.test("AnswerSigner makes a signature once for all who ask at the same time", async () => {
  const signed = signZone(ZONE, await zoneKeysOf(ZONE.origin, [await keyIn("active")]));
  const signer = new AnswerSigner({ now: () => TIME });
  await Promise.all(Array.from({ length: 20 }, () => ask(signer, signed)));
  assert.equal(signer.status.made, 1);
});

Deno.test("names at random fill the memory of what is not there, and no other", async () => {
  const signed = signZone(ZONE, await zoneKeysOf(ZONE.origin, [await keyIn("active")]));
  const limits = { signatureOctets: 10_000, denialOctets: 3000 };
  const signer = new AnswerSigner({ now: () => TIME, limits });
  await ask(signer, signed);
  const made = signer.status.made;
  for (let i = 0; i < 50; i++) await ask(signer, signed, { name: `x${i}.z.example` });
  const { signatures, denials } = signer.status;
  assert.ok(denials.octets <= 3000 && denials.entries > 1 && denials.entries < 10);
  assert.equal(signatures.entries, 2); // www's and the SOA record's.
  const before = signer.status.made;
  await ask(signer, signed);
  assert.equal(signer.status.made, before);
  assert.equal(made, 1);
});

Deno.test("AnswerSigner answers SERVFAIL when it has too much to sign at once", async () => {
  const signed = signZone(ZONE, await zoneKeysOf(ZONE.origin, [await keyIn("active")]));
  const signer = new AnswerSigner({ now: () => TIME });
  const all = await Promise.all(
    Array.from({ length: 600 }, (_, i) => ask(signer, signed, { name: `x${i}.z.example` })),
  );
  const codes = all.map(({ header }) => header.responseCode);
  assert.ok(codes.includes(2));
  assert.ok(codes.filter((code) => code === 0).length >= 255);
  assert.equal((await ask(signer, signed, { name: "x599.z.example" })).header.responseCode, 0);
});

Deno.test("AnswerSigner cuts an answer off that does not fit, at the set or its signature", async () => {
  const signed = signZone(ZONE, await zoneKeysOf(ZONE.origin, [await keyIn("active")]));
  const signer = new AnswerSigner({ now: () => TIME });
  const question = { name: "long.z.example", type: TYPE.TXT };
  const whole = await ask(signer, signed, question);
  assert.equal(whole.header.isTruncated, false);
  const exact = await ask(signer, signed, { ...question, limit: whole.octets.length });
  assert.equal(exact.header.isTruncated, false);
  for (const limit of [whole.octets.length - 1, 300, 100]) {
    const cut = await ask(signer, signed, { ...question, limit });
    assert.equal(cut.header.isTruncated, true);
    assert.ok(cut.octets.length <= limit);
    assert.equal(cut.additionals.length, 1); // OPT is there all the same.
  }
});

for (
  const [what, roles, signing, told] of [
    ["one key that signs", ["active"], 1, 1],
    ["one that comes", ["active", "published"], 1, 1],
    ["one that goes", ["active", "retired"], 1, 1],
    ["two that sign", ["active", "active"], 2, 2],
  ] as const
) {
  Deno.test(`signZone() with ${what}: all sign the keys, those that sign sign the rest`, async () => {
    const keys = await Promise.all(roles.map(keyIn));
    const signed = signZone(ZONE, await zoneKeysOf(ZONE.origin, keys));
    const signer = new AnswerSigner({ now: () => TIME });
    const count = async (type: number) => {
      const { answers } = await ask(signer, signed, { name: "z.example", type, limit: 4096 });
      return answers.filter((said) => said.type === TYPE.RRSIG).length;
    };
    assert.equal(await count(TYPE.DNSKEY), keys.length);
    assert.equal(await count(TYPE.CDS), keys.length);
    assert.equal(await count(TYPE.SOA), signing);
    const cds = await ask(signer, signed, { name: "z.example", type: TYPE.CDS, limit: 4096 });
    const own = cds.answers.filter(({ type }) => type === TYPE.CDS);
    assert.equal(own.length, told);
    const coming = keys.find(({ role }) => role === "published") ?? keys[0];
    if (told === 1) assert.match(own[0]?.text ?? "", new RegExp(`^${coming?.tag} 13 2 `));
  });
}

Deno.test("importZoneKey() takes what createZoneKey() makes, in any role, and nothing else", async () => {
  const stored = await createZoneKey("published");
  const key = await importZoneKey(exportZoneKey(stored, "active"));
  assert(key.ok);
  assert.equal(key.value.role, "active");
  assert.equal(key.value.data.length, 68);
  assert.deepEqual([...octetsOf(key.value.data).subarray(0, 4)], [1, 1, 3, 13]);
  const other = await createZoneKey("active");
  const mixed = await importZoneKey({ ...stored, publicKey: other.publicKey });
  assert(!mixed.ok);
  assert.match(mixed.reason, /do not belong together/);
  for (const broken of [{ ...stored, privateKey: "%" }, { ...stored, publicKey: "AAAA" }]) {
    assert.equal((await importZoneKey(broken)).ok, false);
  }
  assert.deepEqual(["active", "published", "retired", "x"].map(isKeyRole), [
    true,
    true,
    true,
    false,
  ]);
});

Deno.test("delegationSigners() and key tags are those of RFC 6605 §6.1", async () => {
  // Its example: a DNSKEY of P-256, and the DS record that the RFC has for it.
  const point =
    "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==";
  const data = octetString(Uint8Array.of(1, 1, 3, 13)) + atob(point);
  const sum = octetsOf(data).reduce((sum, octet, i) => sum + (i % 2 === 0 ? octet << 8 : octet), 0);
  const tag = (sum + (sum >>> 16)) & 0xffff;
  assert.equal(tag, 55648);
  const key = { ...await keyIn("active"), data, tag };
  const [ds] = await delegationSigners(octetString(nameOf("Example.NET")), [key]);
  assert.equal(
    rdataToText(TYPE.DS, octetsOf(ds ?? "")).replaceAll(" ", "").toLowerCase(),
    "55648132b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
  );
});

/** What an NSEC record in an answer says comes next. */
async function nextOf(name: string): Promise<number[]> {
  const signed = signZone(ZONE, await zoneKeysOf(ZONE.origin, [await keyIn("active")]));
  const { authorities } = await ask(new AnswerSigner({ now: () => TIME }), signed, { name });
  const nsec = authorities.find(({ type }) => type === TYPE.NSEC);
  assert(nsec !== undefined);
  const data = [...nsec.data];
  let end = 0;
  while (data[end] !== 0) end += 1 + (data[end] as number);
  return data.slice(0, end + 1);
}

Deno.test("the next name after the longest names is a name, and comes right after them", async () => {
  const zone = [...nameOf("z.example")];
  const labels = (...lengths: number[]) => lengths.map((length) => "x".repeat(length)).join(".");
  // 255 octets, 254 and 253.
  const full = `${labels(63, 63, 63, 50)}.z.example`;
  assert.equal(nameOf(full).length, 254);
  const longest = `${labels(63, 63, 63, 51)}.z.example`;
  assert.equal(nameOf(longest).length, 255);
  const short = `${labels(63, 63, 63, 49)}.z.example`;
  assert.deepEqual(await nextOf(short), [1, 0, ...nameOf(short)]);
  const after = await nextOf(longest);
  assert.equal(after.length, 255);
  assert.equal(after[63], "y".charCodeAt(0));
  assert.deepEqual(after.slice(64), [...nameOf(longest)].slice(64));
  const one = `${labels(62, 63, 63, 51)}.z.example`;
  assert.equal(nameOf(one).length, 254);
  assert.deepEqual(await nextOf(one), [
    63,
    ...nameOf(one).slice(1, 63),
    0,
    ...nameOf(one).slice(63),
  ]);
  assert.equal((await nextOf(full)).length, 254); // No octet for its first label: the next one beside it.
  const last = `${"\\255".repeat(63)}.${labels(63, 63, 51)}.z.example`;
  assert.equal((await nextOf(last))[0], 63);
  assert.equal((await nextOf(last)).length, 191); // Beside the label above.
  assert.deepEqual((await nextOf(`${"x".repeat(62)}@.${labels(63, 63, 51)}.z.example`))[63], 0x5b);
  assert.equal(zone.at(-1), 0);
});
