import assert from "node:assert/strict";
import { encodeQuery, parseMessage } from "../../../lib/dns/mod.ts";
import {
  createTsigKey,
  findTsig,
  signError,
  signMessage,
  TSIG_ERROR,
  type TsigAlgorithm,
  type TsigKey,
  TsigStream,
  TsigVerifier,
  verifyMessage,
} from "../../../lib/tsig/mod.ts";
import { nameOf } from "../../support/dns_server.ts";
import { createRandom, mutate } from "../../support/fuzz.ts";

const SECRET = "c2VjcmV0LWZvci10ZXN0cy1vbmx5LTAxMjM0NTY3ODk=";
const TIME = 1_800_000_000;
const MESSAGE = encodeQuery({ id: 0x4711, name: nameOf("a.example"), type: 252 });

function keyOf(name = "Key.example", algorithm: TsigAlgorithm = "hmac-sha256"): TsigKey {
  const key = createTsigKey({ name, algorithm, secret: SECRET });
  assert(key.ok);
  return key.value;
}

function messageOf(octets: Uint8Array) {
  const message = parseMessage(octets);
  assert(message.ok);
  return { message: message.value, octets };
}

/** Where the signature's own fields are: it is last, and without other data. */
const fromEnd = (octets: Uint8Array, macOctets = 32) => ({
  mac: octets.length - 6 - macOctets,
  macSize: octets.length - 8 - macOctets,
  time: octets.length - 16 - macOctets,
});

for (
  const [algorithm, octets] of [["hmac-sha256", 32], ["hmac-sha384", 48], [
    "hmac-sha512",
    64,
  ]] as const
) {
  Deno.test(`verifyMessage() takes what signMessage() signed with ${algorithm}`, async () => {
    const key = keyOf("k.example", algorithm);
    const signed = await signMessage(MESSAGE, { key, time: TIME });
    assert.equal(signed.mac.length, octets);
    const options = { keys: [keyOf("other"), key], time: TIME };
    const verdict = await verifyMessage(messageOf(signed.octets), options);
    assert.equal(verdict.kind, "verified");
    assert(verdict.kind === "verified");
    assert.deepEqual(verdict.unsigned, MESSAGE);
    assert.equal(verdict.key, key);
  });
}

Deno.test("signMessage() signs as RFC 8945 says: name in lower case, no answer before", async () => {
  const { octets, mac } = await signMessage(MESSAGE, { key: keyOf(), time: TIME });
  const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
  const head = "036b6579 076578616d706c65 00 00fa 00ff 00000000";
  const algorithm = "0b686d61632d736861323536 00";
  const time = "00006b49d200 012c";
  const key = await crypto.subtle.importKey(
    ...["raw", Uint8Array.fromBase64(SECRET), { name: "HMAC", hash: "SHA-256" }, false] as const,
    ["sign"],
  );
  const variables = hex(`036b6579076578616d706c6500 00ff 00000000 ${algorithm} ${time} 0000 0000`);
  const whole = Uint8Array.from([...MESSAGE, ...variables]);
  assert.deepEqual(mac, new Uint8Array(await crypto.subtle.sign("HMAC", key, whole)));
  const tail = `${head} 003d ${algorithm} ${time} 0020 ${mac.toHex()} 4711 0000 0000`;
  assert.deepEqual(octets.subarray(MESSAGE.length), hex(tail));
  assert.equal(octets[11], 1);
});

Deno.test("verifyMessage() says BADKEY for a key that it does not know, or with another algorithm", async () => {
  const signed = messageOf((await signMessage(MESSAGE, { key: keyOf(), time: TIME })).octets);
  for (const keys of [[], [keyOf("other.example")], [keyOf("key.example", "hmac-sha512")]]) {
    const verdict = await verifyMessage(signed, { keys, time: TIME });
    assert(verdict.kind === "refused");
    assert.equal(verdict.error, TSIG_ERROR.badKey);
    assert.equal(verdict.key, undefined);
  }
});

Deno.test("verifyMessage() says BADSIG for each octet of a message that is another one", async () => {
  const { octets } = await signMessage(MESSAGE, { key: keyOf(), time: TIME });
  const options = { keys: [keyOf()], time: TIME };
  const { mac } = fromEnd(octets);
  // The header's id and counts are not signed as they are; what is behind the signature, neither.
  const places = [2, 3, 13, 16, MESSAGE.length - 3, mac, mac + 31, fromEnd(octets).time + 7];
  for (const at of places) {
    const other = octets.with(at, (octets[at] as number) ^ 1);
    const verdict = await verifyMessage(messageOf(other), options);
    assert(verdict.kind === "refused", `${at}: ${verdict.kind}`);
    assert.equal(verdict.error, TSIG_ERROR.badSig, `${at}`);
    assert.equal(verdict.key, undefined);
  }
});

Deno.test("verifyMessage() takes another id, which whoever passed the message on gave it", async () => {
  const { octets } = await signMessage(MESSAGE, { key: keyOf(), time: TIME });
  const verdict = await verifyMessage(messageOf(octets.with(0, 0xff)), {
    keys: [keyOf()],
    time: TIME,
  });
  assert.equal(verdict.kind, "verified");
});

for (
  const [seconds, error] of [[300, undefined], [301, 18], [-300, undefined], [-301, 18]] as const
) {
  Deno.test(`verifyMessage() ${error ? "refuses" : "takes"} a signature ${seconds} s old`, async () => {
    const { octets } = await signMessage(MESSAGE, { key: keyOf(), time: TIME });
    const options = { keys: [keyOf()], time: TIME + seconds };
    const verdict = await verifyMessage(messageOf(octets), options);
    assert.equal(verdict.kind, error === undefined ? "verified" : "refused");
    if (verdict.kind !== "refused") return;
    assert.equal(verdict.error, error);
    assert.ok(verdict.key !== undefined); // The answer is signed, for whoever sets his clock by it.
  });
}

/** The same with a part of the signature. */
async function truncated(length: number): Promise<Uint8Array> {
  const { octets } = await signMessage(MESSAGE, { key: keyOf(), time: TIME });
  const { mac, macSize } = fromEnd(octets);
  const cut = Uint8Array.from([
    ...octets.subarray(0, mac + Math.min(length, 32)),
    ...new Uint8Array(Math.max(0, length - 32)),
    ...octets.subarray(mac + 32),
  ]);
  const dataLengthAt = MESSAGE.length + 13 + 8;
  cut[dataLengthAt + 1] = (cut[dataLengthAt + 1] as number) - 32 + length;
  cut[macSize + 1] = length;
  return cut;
}

for (
  const [length, kind, error] of [
    [33, "malformed", undefined],
    [32, "verified", undefined],
    [31, "refused", TSIG_ERROR.badTrunc],
    [16, "refused", TSIG_ERROR.badTrunc],
    [15, "malformed", undefined],
    [1, "malformed", undefined],
    [0, "refused", TSIG_ERROR.badSig],
  ] as const
) {
  Deno.test(`verifyMessage() finds ${length} of 32 octets of a signature ${error ?? ""} ${kind}`, async () => {
    const options = { keys: [keyOf()], time: TIME };
    const verdict = await verifyMessage(messageOf(await truncated(length)), options);
    assert.equal(verdict.kind, kind);
    if (verdict.kind === "refused") assert.equal(verdict.error, error);
  });
}

Deno.test("verifyMessage() ties an answer to its question", async () => {
  const key = keyOf();
  const requestMac = Uint8Array.of(1, 2, 3);
  const { octets } = await signMessage(MESSAGE, { key, time: TIME, requestMac });
  const verify = async (mac: Uint8Array | undefined) =>
    (await verifyMessage(messageOf(octets), { keys: [key], time: TIME, requestMac: mac })).kind;
  assert.equal(await verify(requestMac), "verified");
  assert.equal(await verify(Uint8Array.of(1, 2, 4)), "refused");
  assert.equal(await verify(undefined), "refused");
});

Deno.test("verifyMessage() finds a message without a signature unsigned", async () => {
  const verdict = await verifyMessage(messageOf(MESSAGE), { keys: [keyOf()], time: TIME });
  assert.equal(verdict.kind, "unsigned");
});

Deno.test("findTsig() finds two signatures, one before other records, of another class or with a TTL malformed", async () => {
  const { octets } = await signMessage(MESSAGE, { key: keyOf(), time: TIME });
  const kindOf = (octets: Uint8Array) => findTsig(messageOf(octets).message, octets).kind;
  assert.equal(kindOf(octets), "signed");
  const record = octets.subarray(MESSAGE.length);
  const with2 = (more: Uint8Array) => Uint8Array.from([...octets, ...more]).with(11, 2);
  assert.equal(kindOf(with2(record)), "malformed");
  assert.equal(kindOf(with2(Uint8Array.of(0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))), "malformed");
  const classAt = MESSAGE.length + 13 + 2;
  assert.equal(kindOf(octets.with(classAt + 1, 1)), "malformed");
  assert.equal(kindOf(octets.with(classAt + 5, 1)), "malformed");
  // In the answer section.
  assert.equal(kindOf(octets.with(11, 0).with(7, 1)), "malformed");
});

Deno.test("findTsig() finds data with less or more than its fields malformed", async () => {
  const { octets } = await signMessage(MESSAGE, { key: keyOf(), time: TIME });
  const lengthAt = MESSAGE.length + 13 + 8;
  for (let less = 1; less <= 61; less++) {
    const cut = octets.slice(0, -less).with(lengthAt + 1, 61 - less);
    assert.equal(findTsig(messageOf(cut).message, cut).kind, "malformed", `${less}`);
  }
  const more = Uint8Array.from([...octets, 0]).with(lengthAt + 1, 62);
  assert.equal(findTsig(messageOf(more).message, more).kind, "malformed");
});

Deno.test("signError() says what is wrong, without a signature", async () => {
  const { octets } = await signMessage(MESSAGE, { key: keyOf(), time: TIME });
  const found = findTsig(messageOf(octets).message, octets);
  assert(found.kind === "signed");
  const answer = signError(MESSAGE, { record: found.record, error: TSIG_ERROR.badKey });
  const said = findTsig(messageOf(answer).message, answer);
  assert(said.kind === "signed");
  assert.equal(said.record.error, 17);
  assert.equal(said.record.mac.length, 0);
  assert.equal(said.record.time, TIME);
});

Deno.test("TsigVerifier takes the messages of a TsigStream in their order, and no others", async () => {
  const key = keyOf();
  const requestMac = Uint8Array.from({ length: 32 }, (_, i) => i);
  const stream = new TsigStream(key, requestMac);
  const messages: Uint8Array[] = [];
  for (let i = 0; i < 4; i++) {
    messages.push(
      await stream.sign(encodeQuery({ id: 7, name: nameOf(`n${i}`), type: 1 }), TIME + i),
    );
  }
  const verifier = new TsigVerifier(key, requestMac);
  assert.equal(verifier.isComplete, false);
  for (const octets of messages) assert.equal(await verifier.check(octets, TIME), "ok");
  assert.equal(verifier.isComplete, true);
  const [first, second, third] = messages as [Uint8Array, Uint8Array, Uint8Array];
  for (const order of [[second], [first, third], [first, first]]) {
    const other = new TsigVerifier(key, requestMac);
    const verdicts = [];
    for (const octets of order) verdicts.push(await other.check(octets, TIME));
    assert.equal(verdicts.at(-1), TSIG_ERROR.badSig);
  }
});

Deno.test("TsigVerifier takes 99 messages without a signature between two with, and is not complete before", async () => {
  const key = keyOf();
  const requestMac = Uint8Array.from({ length: 32 }, (_, i) => i);
  const first = await new TsigStream(key, requestMac).sign(MESSAGE, TIME);
  const verifier = new TsigVerifier(key, requestMac);
  assert.equal(await new TsigVerifier(key, requestMac).check(MESSAGE, TIME), "unsigned");
  assert.equal(await verifier.check(first, TIME), "ok");
  for (let i = 0; i < 99; i++) assert.equal(await verifier.check(MESSAGE, TIME), "ok");
  assert.equal(verifier.isComplete, false);
  assert.equal(await verifier.check(MESSAGE, TIME), "unsigned");
});

Deno.test("createTsigKey() refuses other algorithms, secrets that are short or no base64, and no names", () => {
  const reasonOf = (parts: Partial<Parameters<typeof createTsigKey>[0]>) => {
    const key = createTsigKey({ name: "k", secret: SECRET, ...parts });
    return key.ok ? "" : key.reason;
  };
  assert.equal(reasonOf({}), "");
  assert.equal(reasonOf({ algorithm: "HMAC-SHA512." }), "");
  assert.match(reasonOf({ algorithm: "hmac-md5" }), /none of hmac-sha256/);
  assert.match(reasonOf({ algorithm: "constructor" }), /none of/);
  assert.match(reasonOf({ secret: "%" }), /not base64/);
  assert.match(reasonOf({ secret: "AAAA" }), /3 octets, fewer than 16/);
  assert.equal(reasonOf({ secret: new Uint8Array(16).toBase64() }), "");
  assert.match(reasonOf({ secret: new Uint8Array(15).toBase64() }), /fewer than 16/);
  assert.match(reasonOf({ name: "a..b" }), /no name/);
});

Deno.test("verifyMessage() never throws, and never verifies what was changed (seed 1)", async () => {
  const { octets } = await signMessage(MESSAGE, { key: keyOf(), time: TIME });
  const random = createRandom(1);
  for (let i = 0; i < 500; i++) {
    const other = mutate(octets, random);
    const message = parseMessage(other);
    if (!message.ok) continue;
    const options = { keys: [keyOf()], time: TIME };
    const verdict = await verifyMessage({ message: message.value, octets: other }, options);
    if (verdict.kind !== "verified") continue;
    assert.deepEqual(verdict.unsigned, MESSAGE);
  }
});
