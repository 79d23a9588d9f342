import assert from "node:assert/strict";
import { AcmeTlsError, answerChallenge } from "../../../lib/acme_tls/mod.ts";
import { GROUPS, readOffer } from "../../../lib/acme_tls/hello.ts";
import { firstRecord, plainRecord } from "../../../lib/acme_tls/records.ts";
import { helloMessage } from "../../support/acme_tls_client.ts";
import type { Random } from "../../support/fuzz.ts";
import { cut, type FuzzTarget } from "../../support/fuzz_target.ts";

const SHARE_BYTES: Readonly<Record<number, number>> = {
  [GROUPS.x25519]: 32,
  [GROUPS.secp256r1]: 65,
};

function randomMessage(random: Random): Uint8Array {
  const groups = Object.values(GROUPS).filter(() => random.below(3) > 0);
  const shares = groups.filter(() => random.below(2) === 0)
    .map((group) => [group, random.bytes(SHARE_BYTES[group] ?? 1)] as const);
  return helloMessage({
    groups,
    shares,
    suites: random.pick([[0x1301], [0x1302, 0x1301], [0x1302], []]),
    versions: random.pick([[0x0304], [0x0a0a, 0x0304], [0x0303]]),
    sessionId: random.bytes(random.pick([0, 32, 33])),
  });
}

/** The ClientHello of a validator. */
export const ACME_TLS_HELLO: FuzzTarget = {
  name: "acme_tls_hello",
  rounds: 8000,
  make: randomMessage,
  check(bytes) {
    let offer;
    try {
      offer = readOffer(bytes);
    } catch (error) {
      return void assert(error instanceof AcmeTlsError, String(error));
    }
    const { random, sessionId, groups, shares } = offer;
    assert.equal(random.length, 32);
    assert.ok(sessionId.length <= 32);
    assert.notEqual(groups.length, 0);
    for (const [group, share] of shares) {
      assert.ok(groups.includes(group as typeof groups[number]));
      assert.equal(share.length, SHARE_BYTES[group]);
    }
    assert.throws(() => readOffer(Uint8Array.from([...bytes, 0])), AcmeTlsError);
  },
};

/** Records of a validator. */
export const ACME_TLS_RECORDS: FuzzTarget = {
  name: "acme_tls_records",
  rounds: 8000,
  make(random) {
    const records = Array.from({ length: 1 + random.below(3) }, () => {
      return [...plainRecord(20 + random.below(5), random.bytes(random.below(60)))];
    });
    return Uint8Array.from(records.flat());
  },
  check(bytes) {
    try {
      for (let at = 0; at < bytes.length;) {
        const found = firstRecord(bytes.subarray(at));
        if (found === undefined) return;
        const { record: { type, header, content }, size } = found;
        const again = Uint8Array.from([...header, ...content]);
        assert.deepEqual(again, new Uint8Array(bytes.subarray(at, at + size)));
        assert.equal(type, bytes[at]);
        assert.equal(firstRecord(bytes.subarray(at, at + size - 1)), undefined);
        at += size;
      }
    } catch (error) {
      if (!(error instanceof AcmeTlsError)) throw error;
    }
  },
};

const key = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
  "sign",
  "verify",
]) as CryptoKeyPair;
const CHALLENGE = { certificate: new Uint8Array(100), key: key.privateKey };
/** A share of X25519 that anybody may send: the base point. */
const SHARE = new Uint8Array(32).with(0, 9);

/**
 * What a client sends behind its hello. The first octet chooses one that has a share, or one that is
 * asked for it. Nobody gets to the end without the keys.
 */
export const ACME_TLS_FLIGHT: FuzzTarget = {
  name: "acme_tls_flight",
  rounds: 300,
  make(random) {
    const hello = plainRecord(22, randomMessage(random));
    const noise = plainRecord(random.pick([20, 21, 22, 23]), random.bytes(random.below(60)));
    return Uint8Array.from([random.below(2), ...random.pick([hello, noise]), ...noise]);
  },
  async check(bytes, random) {
    const shares = (bytes[0] ?? 0) % 2 === 0 ? [[GROUPS.x25519, SHARE] as const] : [];
    const hello = plainRecord(22, helloMessage({ groups: [GROUPS.x25519], shares }));
    const pieces = cut(bytes.subarray(1), random);
    const written: Uint8Array[] = [];
    const stream = {
      read: () => Promise.resolve(pieces.shift()),
      write: (octets: Uint8Array) => void written.push(octets),
    };
    await assert.rejects(answerChallenge(hello, { ...CHALLENGE, stream }), AcmeTlsError);
    assert.ok(written.length <= 2, "a retry and a flight, and nothing more");
  },
};
