import assert from "node:assert/strict";
import { createChallengeCertificate, generateKey } from "../../../lib/acme/mod.ts";
import { answerChallenge, type ChallengeCertificate } from "../../../lib/acme_tls/mod.ts";
import { GROUPS } from "../../../lib/acme_tls/hello.ts";
import { createShare } from "../../../lib/acme_tls/key_exchange.ts";
import { uint, vector } from "../../../lib/acme_tls/octets.ts";
import { concat } from "../../../lib/wire/mod.ts";
import { firstRecord, plainRecord } from "../../../lib/acme_tls/records.ts";
import {
  helloMessage,
  type HelloParts,
  Pipe,
  startHandshake,
} from "../../support/acme_tls_client.ts";

const key = await generateKey();
const CHALLENGE: ChallengeCertificate = {
  key: key.privateKey,
  certificate: await createChallengeCertificate(key, {
    name: "a.example",
    keyAuthorization: "t.k",
    nowMs: Date.now(),
  }),
};
const SHARE = (await createShare(GROUPS.x25519)).publicShare;
const P256_SHARE = (await createShare(GROUPS.secp256r1)).publicShare;
const CHANGE_CIPHER_SPEC = Uint8Array.of(20, 3, 3, 0, 1, 1);

for (const [name, group] of Object.entries(GROUPS)) {
  Deno.test(`answerChallenge() ends with a close_notify when the Finished is right, over ${name}`, async () => {
    const { pipe, done, seal, finished } = await startHandshake(CHALLENGE, group);
    const before = pipe.written.length;
    pipe.send(CHANGE_CIPHER_SPEC);
    pipe.send(await seal.seal(22, finished));
    await done;
    assert.equal(pipe.written.length, before + 1);
    assert.equal(pipe.written[before]?.[0], 23, "sealed");
  });
}

Deno.test("answerChallenge() takes a Finished in pieces of any length", async () => {
  const { pipe, done, seal, finished } = await startHandshake(CHALLENGE);
  const octets = concat(
    CHANGE_CIPHER_SPEC,
    await seal.seal(22, finished.subarray(0, 3)),
    await seal.seal(22, finished.subarray(3)),
  );
  for (const octet of octets) pipe.send(Uint8Array.of(octet));
  await done;
});

Deno.test("answerChallenge() refuses a Finished of which any octet is wrong, and says no more", async () => {
  for (const at of [0, 3, 4, 20, 35]) {
    const { pipe, done, seal, finished } = await startHandshake(CHALLENGE);
    const wrong = finished.slice();
    wrong[at] = (wrong[at] as number) ^ 1;
    const before = pipe.written.length;
    pipe.send(await seal.seal(22, wrong));
    await assert.rejects(done, /the client's Finished is wrong/, String(at));
    assert.equal(pipe.written.length, before);
  }
});

for (
  const [what, send, reason] of [
    ["the end", () => undefined, /the client has gone/],
    ["an alert in the clear", () => plainRecord(21, Uint8Array.of(2, 48)), /refuses, in the clear/],
    [
      "a record that does not decrypt",
      () => plainRecord(23, new Uint8Array(60)),
      /does not decrypt/,
    ],
    [
      "something that is no record",
      () => new TextEncoder().encode("GET / HTTP/1.1"),
      /else than records/,
    ],
    ["an empty record", () => Uint8Array.of(23, 3, 3, 0, 0), /else than records/],
    ["a record that is too long", () => Uint8Array.of(23, 3, 3, 0x41, 0x01), /else than records/],
    [
      "many change_cipher_specs",
      () => concat(...Array(3).fill(CHANGE_CIPHER_SPEC)),
      /one change_cipher_spec after/,
    ],
    ["a change_cipher_spec that says 2", () => Uint8Array.of(20, 3, 3, 0, 1, 2), /says something/],
  ] as const
) {
  Deno.test(`answerChallenge() ends on ${what} where the Finished is due`, async () => {
    const { pipe, done } = await startHandshake(CHALLENGE);
    pipe.send(send());
    await assert.rejects(done, reason);
  });
}

Deno.test("answerChallenge() tells the alert of a client that refuses the certificate", async () => {
  const { pipe, done, seal } = await startHandshake(CHALLENGE);
  pipe.send(await seal.seal(21, Uint8Array.of(2, 42)));
  await assert.rejects(done, /refuses with alert 42/);
});

Deno.test("answerChallenge() takes no data in place of a Finished, and no empty records without end", async () => {
  for (const [type, content] of [[23, Uint8Array.of(1)], [22, new Uint8Array(0)]] as const) {
    const { pipe, done, seal } = await startHandshake(CHALLENGE);
    pipe.send(await seal.seal(type, content));
    await assert.rejects(done, /else than its Finished/);
  }
});

for (
  const [what, parts, reason] of [
    ["TLS 1.2 only", { versions: [0x0303] }, /does not speak TLS 1\.3/],
    ["another cipher suite", { suites: [0x1303] }, /TLS_AES_128_GCM_SHA256/],
    ["another signature", { schemes: [0x0804] }, /ecdsa_secp256r1_sha256/],
    ["other groups", { groups: [0x0018], shares: [] }, /neither X25519 nor P-256/],
    ["compression", { compression: Uint8Array.of(1) }, /malformed/],
    ["a share that is too short", { shares: [[GROUPS.x25519, SHARE.subarray(1)]] }, /malformed/],
    ["an empty share", { shares: [[0x6399, new Uint8Array(0)]] }, /malformed/],
    ["two shares of a group", { shares: [[29, SHARE], [29, SHARE]] }, /malformed/],
    ["a share of a group that it does not name", {
      groups: [GROUPS.secp256r1],
      shares: [[29, SHARE]],
    }, /malformed/],
    ["a session id that is too long", { sessionId: new Uint8Array(33) }, /malformed/],
    [
      "an extension twice",
      { more: concat(uint(2, 43), vector(2, Uint8Array.of(2, 3, 4))) },
      /malformed/,
    ],
    ["a point that is not on the curve", {
      shares: [[GROUPS.secp256r1, P256_SHARE.map((octet, i) => i === 9 ? octet ^ 1 : octet)]],
    }, /no point of its group/],
    [
      "a point of small order",
      { shares: [[GROUPS.x25519, new Uint8Array(32)]] },
      /no point of its group/,
    ],
  ] as readonly (readonly [string, HelloParts, RegExp])[]
) {
  Deno.test(`answerChallenge() writes nothing to a hello with ${what}`, async () => {
    const pipe = new Pipe();
    const hello = plainRecord(22, helloMessage({ shares: [[GROUPS.x25519, SHARE]], ...parts }));
    await assert.rejects(answerChallenge(hello, { ...CHALLENGE, stream: pipe }), reason);
    assert.equal(pipe.written.length, 0);
  });
}

Deno.test("answerChallenge() refuses every proper prefix of a hello's message, whatever it looks like", async () => {
  const whole = helloMessage({ shares: [[GROUPS.x25519, SHARE]] });
  for (let length = 5; length < whole.length; length++) {
    const cut = whole.slice(0, length);
    cut.set(uint(3, length - 4), 1);
    const pipe = new Pipe();
    await assert.rejects(answerChallenge(plainRecord(22, cut), { ...CHALLENGE, stream: pipe }));
    assert.equal(pipe.written.length, 0);
  }
});

Deno.test("answerChallenge() refuses a hello that is not all there, or that something follows", async () => {
  const hello = plainRecord(22, helloMessage({ shares: [[GROUPS.x25519, SHARE]] }));
  for (const octets of [hello.subarray(0, -1), concat(hello, Uint8Array.of(23))]) {
    await assert.rejects(answerChallenge(octets, { ...CHALLENGE, stream: new Pipe() }));
  }
});

/** The group that a HelloRetryRequest asks for, and how the second hello is answered. */
async function retry(
  first: HelloParts,
  second: HelloParts,
): Promise<{ group: number; done: Promise<void>; pipe: Pipe }> {
  const pipe = new Pipe();
  const done = answerChallenge(plainRecord(22, helloMessage(first)), {
    ...CHALLENGE,
    stream: pipe,
  });
  done.catch(() => {});
  while (pipe.written.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const content = firstRecord(pipe.received)?.record.content ?? new Uint8Array(0);
  const message = helloMessage(second);
  pipe.send(CHANGE_CIPHER_SPEC);
  for (let at = 0; at < message.length; at += 100) {
    pipe.send(plainRecord(22, message.subarray(at, at + 100)));
  }
  return { group: content[content.length - 1] as number, done, pipe };
}

Deno.test("answerChallenge() asks once for a share of the better group, and goes on with it", async () => {
  const { group, pipe, done } = await retry(
    { groups: [0x0018, GROUPS.secp256r1, GROUPS.x25519], shares: [] },
    { groups: [0x0018, GROUPS.secp256r1, GROUPS.x25519], shares: [[GROUPS.x25519, SHARE]] },
  );
  assert.equal(group, GROUPS.x25519);
  while (pipe.written.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  pipe.send(undefined);
  await assert.rejects(done, /has gone/);
});

for (
  const [what, second] of [
    ["no share", { shares: [] }],
    ["a share of another group", { shares: [[GROUPS.secp256r1, P256_SHARE]] }],
    ["one share too many", { shares: [[GROUPS.x25519, SHARE], [GROUPS.secp256r1, P256_SHARE]] }],
    ["another random", { shares: [[GROUPS.x25519, SHARE]], random: new Uint8Array(32) }],
    ["another session", { shares: [[GROUPS.x25519, SHARE]], sessionId: new Uint8Array(0) }],
  ] as readonly (readonly [string, HelloParts])[]
) {
  Deno.test(`answerChallenge() refuses a second hello with ${what}`, async () => {
    const { done, pipe } = await retry({ shares: [] }, second);
    await assert.rejects(done, /second ClientHello is not what was asked for/);
    assert.equal(pipe.written.length, 1);
  });
}
