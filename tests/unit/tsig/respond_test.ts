import assert from "node:assert/strict";
import { encodeQuery, parseMessage } from "../../../lib/dns/mod.ts";
import {
  answerRefused,
  createTsigKey,
  findTsig,
  respondSigned,
  signMessage,
  TSIG_ERROR,
  verifyMessage,
} from "../../../lib/tsig/mod.ts";
import { nameOf } from "../../support/dns_server.ts";

const TIME = 1_800_000_000;
const QUERY = encodeQuery({ id: 0x4711, name: nameOf("a.example"), type: 1 });

function keyOf(name: string) {
  const key = createTsigKey({ name, secret: "c2VjcmV0LWZvci10ZXN0cy1vbmx5LTAxMjM0NTY3ODk=" });
  assert(key.ok);
  return key.value;
}

const KEY = keyOf("k");

function read(octets: Uint8Array) {
  const message = parseMessage(octets);
  assert(message.ok, JSON.stringify(message));
  const found = findTsig(message.value, octets);
  return { message: message.value, octets, found };
}

/** An answer to {@link QUERY} with so many octets of other data. */
function answerOf(octets: number): Uint8Array {
  const answer = new Uint8Array(QUERY.length + 12 + octets);
  answer.set(QUERY);
  answer[2] = 0x84;
  answer[7] = 1;
  answer.set([0xc0, 12, 0, 99, 0, 1, 0, 0, 0, 1, octets >> 8, octets & 255], QUERY.length);
  return answer;
}

async function respond(
  octets: Uint8Array,
  {
    transport = "tcp" as "udp" | "tcp",
    time = TIME,
    answer = answerOf(4) as Uint8Array | undefined,
  } = {},
) {
  const asked: Uint8Array[] = [];
  const response = await respondSigned(octets, {
    ...{ keys: [KEY], time, transport },
    respond: (unsigned) => {
      asked.push(unsigned);
      return answer;
    },
  });
  return { response, asked };
}

Deno.test("respondSigned() answers what the message was before it was signed, signed for its signature", async () => {
  const { octets, mac } = await signMessage(QUERY, { key: KEY, time: TIME });
  const { response, asked } = await respond(octets);
  assert.deepEqual(asked, [QUERY]);
  assert(response.kind === "answer" && response.octets !== undefined);
  const answer = read(response.octets);
  const options = { keys: [KEY], time: TIME, requestMac: mac };
  const verdict = await verifyMessage(answer, options);
  assert(verdict.kind === "verified");
  assert.deepEqual(verdict.unsigned, answerOf(4));
});

Deno.test("respondSigned() leaves messages alone that are not signed, no messages, or answers", async () => {
  const { octets } = await signMessage(QUERY, { key: KEY, time: TIME });
  for (const other of [QUERY, octets.slice(0, -1), octets.with(2, 0x81), new Uint8Array(3)]) {
    const { response, asked } = await respond(other);
    assert.deepEqual(response, { kind: "unsigned" });
    assert.deepEqual(asked, []);
  }
});

Deno.test("respondSigned() says nothing where nothing is answered", async () => {
  const { octets } = await signMessage(QUERY, { key: KEY, time: TIME });
  const asked: Uint8Array[] = [];
  const response = await respondSigned(octets, {
    ...{ keys: [KEY], time: TIME, transport: "udp" },
    respond: (unsigned) => void asked.push(unsigned),
  });
  assert.deepEqual(response, { kind: "answer", octets: undefined });
  assert.equal(asked.length, 1);
});

for (
  const [what, key, time, error, isSigned] of [
    ["a key that it does not know", keyOf("other"), TIME, TSIG_ERROR.badKey, false],
    ["a clock that is wrong", KEY, TIME + 301, TSIG_ERROR.badTime, true],
  ] as const
) {
  Deno.test(`respondSigned() answers NOTAUTH and ${error} for ${what}`, async () => {
    const { octets, mac } = await signMessage(QUERY, { key, time: TIME });
    const { response, asked } = await respond(octets, { time });
    assert.deepEqual(asked, []);
    assert(response.kind === "answer" && response.octets !== undefined);
    const { message, found } = read(response.octets);
    assert.equal(message.header.responseCode, 9);
    assert.equal(message.header.id, 0x4711);
    assert.equal(message.header.isResponse, true);
    assert(found.kind === "signed");
    assert.equal(found.record.error, error);
    assert.equal(found.record.mac.length > 0, isSigned);
    if (!isSigned) return;
    // RFC 8945 §5.2.3: our time is in the data, theirs is what is signed.
    assert.equal(found.record.time, TIME);
    assert.equal(found.record.other.toHex(), time.toString(16).padStart(12, "0"));
    const verified = await verifyMessage(read(response.octets), {
      ...{ keys: [KEY], time: TIME, requestMac: mac },
    });
    assert.equal(verified.kind, "verified");
  });
}

Deno.test("respondSigned() answers FORMERR for a signature that is not valid", async () => {
  const { octets } = await signMessage(QUERY, { key: KEY, time: TIME });
  const twice = Uint8Array.from([...octets, ...octets.subarray(QUERY.length)]).with(11, 2);
  const { response, asked } = await respond(twice);
  assert.deepEqual(asked, []);
  assert(response.kind === "answer" && response.octets !== undefined);
  assert.equal((response.octets[3] as number) & 15, 1);
});

Deno.test("respondSigned() cuts an answer off that is over 1,232 octets with its signature, over UDP", async () => {
  const { octets, mac } = await signMessage(QUERY, { key: KEY, time: TIME });
  const lengthOf = async (data: number, transport: "udp" | "tcp") => {
    const { response } = await respond(octets, { transport, answer: answerOf(data) });
    assert(response.kind === "answer" && response.octets !== undefined);
    const answer = read(response.octets);
    const verdict = await verifyMessage(answer, { keys: [KEY], time: TIME, requestMac: mac });
    assert.equal(verdict.kind, "verified");
    const { message: { header, answers, questions } } = answer;
    assert.equal(questions.length, 1);
    assert.equal(header.isTruncated, answers.length === 0);
    return header.isTruncated ? "cut" : response.octets.length;
  };
  const beside = await lengthOf(0, "udp") as number;
  assert.equal(await lengthOf(1232 - beside, "udp"), 1232);
  assert.equal(await lengthOf(1233 - beside, "udp"), "cut");
  assert.equal(await lengthOf(1233 - beside, "tcp"), 1233);
});

Deno.test("answerRefused() signs BADTRUNC with our time, and nothing else beside it", async () => {
  const { octets } = await signMessage(QUERY, { key: KEY, time: TIME });
  const { found } = read(octets);
  assert(found.kind === "signed");
  const refused = { error: TSIG_ERROR.badTrunc, record: found.record, key: KEY };
  const answer = read(await answerRefused(QUERY, { refused, time: TIME + 7 }));
  assert(answer.found.kind === "signed");
  assert.equal(answer.found.record.time, TIME + 7);
  assert.equal(answer.found.record.other.length, 0);
  assert.equal(answer.found.record.error, 22);
});

Deno.test("a time beyond 2106 is signed and read with all its 48 bits", async () => {
  const late = 2 ** 33 + 5;
  const { octets } = await signMessage(QUERY, { key: KEY, time: late });
  const { found } = read(octets);
  assert(found.kind === "signed");
  assert.equal(found.record.time, late);
  assert.equal(found.record.fudge, 300);
  assert.equal(found.record.originalId, 0x4711);
  assert.deepEqual(found.unsigned, QUERY);
});

Deno.test("findTsig() cuts the signature off behind whatever record comes before it", async () => {
  const answer = answerOf(4);
  const { octets } = await signMessage(answer, { key: KEY, time: TIME });
  const { found } = read(octets);
  assert(found.kind === "signed");
  assert.deepEqual(found.unsigned, answer);
});
