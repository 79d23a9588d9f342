import assert from "node:assert/strict";
import {
  type AddressAnswer,
  CLASS_IN,
  encodeQuery,
  parseMessage,
  readAddressAnswer,
} from "../../../lib/dns/mod.ts";
import { type AnswerParts, answerTo, nameOf, soaData } from "../../support/dns_server.ts";

const name = nameOf("a.test");
const query = encodeQuery({ id: 0xabcd, name, type: 1, udpPayloadBytes: 1232 });

function parsed(bytes: Uint8Array) {
  const message = parseMessage(bytes);
  assert(message.ok, JSON.stringify(message));
  return message.value;
}

const asked = parsed(query);

Deno.test("encodeQuery() is the octets that RFC 1035 and RFC 6891 say", () => {
  const hex = Array.from(query, (octet) => octet.toString(16).padStart(2, "0")).join("");
  assert.equal(
    hex,
    "abcd01000001000000000001" + "016104746573740000010001" + "00002904d0000000000000",
  );
  assert.equal(encodeQuery({ id: 1, name, type: 28 }).length, query.length - 11);
});

Deno.test("parseMessage() reads a question back", () => {
  assert.deepEqual(asked.questions, [{ name, type: 1, class: CLASS_IN }]);
  assert.equal(asked.header.id, 0xabcd);
  assert.equal(asked.header.isResponse, false);
  assert.equal(asked.header.recursionDesired, true);
  assert.equal(asked.additionals.length, 1);
});

const full = answerTo(asked, {
  answers: [
    { name: "a.test", type: "CNAME", ttl: 30, data: "b.test" },
    { name: "b.test", type: "A", ttl: 60, data: "192.0.2.1" },
  ],
  authorities: [{ name: "test", type: "SOA", data: soaData(5) }],
});

Deno.test("parseMessage() refuses each proper prefix, and octets after the end", () => {
  for (let length = 0; length < full.length; length++) {
    assert.equal(parseMessage(full.subarray(0, length)).ok, false, `${length} octets`);
  }
  assert.equal(parseMessage(Uint8Array.of(...full, 0)).ok, false);
});

Deno.test("parseMessage() refuses more records than a bound before it reads them", () => {
  const bytes = full.slice();
  new DataView(bytes.buffer).setUint16(10, 0xffff);
  assert.equal(parseMessage(bytes).ok, false);
});

Deno.test("parseMessage() takes a TTL with its upper bit for 0", () => {
  const bytes = answerTo(asked, {
    answers: [{ name: "a.test", type: "A", ttl: 0x80000001, data: "192.0.2.1" }],
  });
  assert.equal(parsed(bytes).answers[0]?.ttl, 0);
});

function read(parts: AnswerParts, type = 1): AddressAnswer {
  const bytes = answerTo(asked, parts);
  return readAddressAnswer(parsed(bytes), bytes, { name, type, class: CLASS_IN });
}

const A = { name: "a.test", type: "A", ttl: 60, data: "192.0.2.1" } as const;
const SOA = { name: "test", type: "SOA", ttl: 900, data: soaData(30) } as const;

for (
  const [what, parts, expected] of [
    ["addresses with the least of their TTLs", {
      answers: [A, { ...A, ttl: 20, data: "192.0.2.2" }],
    }, {
      kind: "addresses",
      addresses: ["192.0.2.1", "192.0.2.2"],
      ttl: 20,
    }],
    ["addresses in whatever case they are owned", { answers: [{ ...A, name: "A.TeST" }] }, {
      kind: "addresses",
      addresses: ["192.0.2.1"],
      ttl: 60,
    }],
    ["addresses behind aliases, in any order", {
      answers: [
        { name: "c.test", type: "A", ttl: 60, data: "192.0.2.3" },
        { name: "b.test", type: "CNAME", ttl: 10, data: "c.test" },
        { name: "a.test", type: "CNAME", ttl: 30, data: "b.test" },
      ],
    }, { kind: "addresses", addresses: ["192.0.2.3"], ttl: 10 }],
    ["nothing of what belongs to another name", {
      answers: [{ ...A, name: "bank.test" }],
      additionals: [A],
    }, { kind: "none", ttl: undefined }],
    ["nothing of what an alias does not lead to", {
      answers: [{ name: "x.test", type: "CNAME", data: "a.test" }, { ...A, name: "x.test" }],
    }, { kind: "none", ttl: undefined }],
    ["an alias that leads out of the answer", {
      answers: [{ name: "a.test", type: "CNAME", ttl: 30, data: "b.other" }],
    }, { kind: "alias", target: nameOf("b.other"), ttl: 30 }],
    ["no address, for as long as the SOA says", { authorities: [SOA] }, { kind: "none", ttl: 30 }],
    ["no address, for the TTL of the SOA if that is less", {
      authorities: [{ ...SOA, ttl: 3 }],
      code: 3,
    }, { kind: "none", ttl: 3 }],
    ["that an alias leads to a name that does not exist", {
      answers: [{ name: "a.test", type: "CNAME", ttl: 7, data: "b.test" }],
      authorities: [SOA],
      code: 3,
    }, { kind: "none", ttl: 7 }],
    ["a failure of the server", { code: 2 }, {
      kind: "failure",
      reason: "the server answers with code 2",
    }],
    ["an address of three octets as a failure", {
      answers: [{ ...A, data: Uint8Array.of(1, 2, 3) }],
    }, {
      kind: "failure",
      reason: "an address is not valid",
    }],
    ["an alias with octets behind it as a failure", {
      answers: [{ name: "a.test", type: "CNAME", data: Uint8Array.of(1, 98, 0, 0) }],
    }, { kind: "failure", reason: "an alias is not valid" }],
    ["a ring of aliases as a failure", {
      answers: [
        { name: "a.test", type: "CNAME", data: "b.test" },
        { name: "b.test", type: "CNAME", data: "a.test" },
      ],
    }, { kind: "failure", reason: "aliases without end" }],
  ] as readonly (readonly [string, AnswerParts, AddressAnswer])[]
) {
  Deno.test(`readAddressAnswer() finds ${what}`, () => assert.deepEqual(read(parts), expected));
}
