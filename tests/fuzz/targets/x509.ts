import assert from "node:assert/strict";
import { readIdentity } from "../../../lib/connector/mod.ts";
import {
  DerError,
  DerReader,
  integerHex,
  loadRevocationLists,
  parseCertificate,
  TAG,
} from "../../../lib/x509/mod.ts";
import type { Random } from "../../support/fuzz.ts";
import { corpusOf, type FuzzTarget } from "../../support/fuzz_target.ts";

/** 2026: certificates of the corpus are good then. */
const NOW = Date.UTC(2026, 0, 2);

/** One value of DER with whatever in it. */
function value(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const prefix = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 255];
  return Uint8Array.from([tag, ...prefix, ...content]);
}

function randomDer(random: Random, depth = 0): Uint8Array {
  const tag = random.pick([...Object.values(TAG), 0xa0, 0xa3, 0x82]);
  if ((tag & 0x20) === 0 || depth > 4) return value(tag, random.bytes(random.below(140)));
  const parts = Array.from({ length: random.below(4) }, () => [...randomDer(random, depth + 1)]);
  return value(tag, Uint8Array.from(parts.flat()));
}

function walk(reader: DerReader, depth: number): void {
  while (!reader.done) {
    const { tag, content, encoded } = reader.any();
    // Two readers have to see the same: there is one way only to write a value.
    assert.deepEqual(new Uint8Array(encoded), value(tag, content));
    if (tag === TAG.integer) assert.equal(integerHex(content), content.toHex());
    if ((tag & 0x20) !== 0 && depth < 50) walk(new DerReader(content), depth + 1);
  }
}

/** Distinguished encoding (X.690). */
export const DER: FuzzTarget = {
  name: "der",
  rounds: 10_000,
  make: randomDer,
  check(bytes) {
    if (bytes.length > 0xffff) return;
    try {
      walk(new DerReader(bytes), 0);
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
    }
  },
};

/** Certificates, and the identity in them. */
export const CERTIFICATE: FuzzTarget = {
  name: "certificate",
  rounds: 4000,
  check(bytes) {
    const parsed = parseCertificate(bytes);
    if (!parsed.ok) return void assert.notEqual(parsed.reason, "");
    const identity = readIdentity(parsed.value, { issuer: "e", nowMs: NOW });
    assert.equal(parseCertificate(bytes.subarray(0, bytes.length - 1)).ok, false);
    assert.equal(parseCertificate(Uint8Array.from([...bytes, 0])).ok, false, "octets behind it");
    assert.ok(parsed.value.notBefore <= parsed.value.notAfter || !identity.ok);
  },
};

/** Of the corpus: its authority, and a list that this one has signed. */
const lists = corpusOf("revocation_list");
const kept = (name: string) =>
  lists.find((entry) => entry.name === name)?.bytes ?? new Uint8Array();
const SIGNED = kept("signed");
const AUTHORITY = `-----BEGIN CERTIFICATE-----\n${
  kept("authority_of_signed").toBase64()
}\n-----END CERTIFICATE-----\n`;

/** Revocation lists: none is taken of which a single octet was changed. */
export const REVOCATION_LIST: FuzzTarget = {
  name: "revocation_list",
  rounds: 4000,
  check(bytes) {
    const options = { authorities: [AUTHORITY], nowMs: NOW };
    const { ok, lists, problems, ignored } = loadRevocationLists([bytes], options);
    assert.equal(ok && lists.size > 0, bytes.toHex() === SIGNED.toHex());
    assert.equal(problems.length + ignored.length > 0, lists.size === 0, "whoever looks is told");
  },
};
