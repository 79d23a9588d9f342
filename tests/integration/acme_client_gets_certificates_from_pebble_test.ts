import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import {
  AcmeClient,
  AcmeHttp,
  checkIssued,
  exportKeyPem,
  fromPem,
  generateKey,
  obtainCertificate,
  type Proof,
  type Prover,
  renewalId,
} from "../../lib/acme/mod.ts";
import { testWithCommands } from "../support/commands.ts";
import { type Pebble, PEBBLE_COMMANDS, startPebble } from "../support/pebble.ts";

/** Proves names with the CA's own DNS server. */
function dnsProver(pebble: Pebble): Prover {
  const host = ({ name }: Proof) => `_acme-challenge.${name}.`;
  return {
    type: "dns-01",
    async show(proof) {
      const authorization = new TextEncoder().encode(proof.keyAuthorization);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", authorization));
      const value = digest.toBase64({ alphabet: "base64url", omitPadding: true });
      await pebble.dns("set-txt", { host: host(proof), value });
    },
    hide: (proof) => pebble.dns("clear-txt", { host: host(proof) }),
  };
}

async function clientOf(pebble: Pebble) {
  const http = new AcmeHttp({ caPem: pebble.caPem, userAgent: "test", now: Date.now });
  const client = new AcmeClient({ http, directory: pebble.directory, key: await generateKey() });
  return { client, [Symbol.dispose]: () => http[Symbol.dispose]() };
}

const ACCOUNT = { email: "admin@a.example", agreesTos: true } as const;

testWithCommands(
  PEBBLE_COMMANDS,
  "a certificate for two names, a wildcard among them, comes although half of all nonces are refused",
  async () => {
    await using pebble = await startPebble({ badNonces: 50, sleeps: true });
    using it = await clientOf(pebble);
    const { client } = it;
    await client.register(ACCOUNT);
    const key = await generateKey();
    const names = ["a.example", "*.b.example"];
    let order = "";
    const certPem = await obtainCertificate({
      client,
      key,
      names,
      profile: "shortlived",
      prover: dnsProver(pebble),
      onOrder: (url) => void (order = url),
      signal: AbortSignal.timeout(60_000),
      delay: () => new Promise((resolve) => setTimeout(resolve, 50)),
    });
    const keyPem = await exportKeyPem(key);
    const issued = checkIssued({ certPem, keyPem }, { names, nowMs: Date.now() });
    assert.equal(
      Math.round((issued.notAfterMs - issued.notBeforeMs) / 86_400_000),
      6,
      "the profile",
    );
    assert.match(issued.issuer, /Pebble/);
    assert.equal((await client.order(order)).status, "valid");
    // An order of before is gone on with: nothing new is ordered, and it gives the same certificate.
    const again = await obtainCertificate({
      ...{ client, key, names, prover: dnsProver(pebble), resume: order },
      onOrder: (url) => assert.equal(url, order),
      signal: AbortSignal.timeout(30_000),
    });
    assert.equal(again, certPem);
  },
);

testWithCommands(
  PEBBLE_COMMANDS,
  "renewal information, replacing, another key and revoking are taken by Pebble",
  async () => {
    await using pebble = await startPebble({ badNonces: 5 });
    using it = await clientOf(pebble);
    const { client } = it;
    const account = await client.register(ACCOUNT);
    const obtain = async (replaces?: string) =>
      await obtainCertificate({
        ...{ client, key: await generateKey(), names: ["a.example"], replaces },
        prover: dnsProver(pebble),
        signal: AbortSignal.timeout(60_000),
        delay: () => new Promise((resolve) => setTimeout(resolve, 50)),
      });
    const first = await obtain();
    const id = renewalId(first);
    assert.ok(id);
    const window = await client.renewalInfo(id);
    const { validFromDate, validToDate } = new X509Certificate(first);
    assert.ok(window && window.startMs > validFromDate.getTime());
    assert.ok(window.endMs < validToDate.getTime());
    const second = await obtain(id);
    assert.notEqual(second, first);
    // RFC 9773 §5: a certificate is replaced once; who says it again gets one all the same.
    const order = client.newOrder({ names: ["a.example"], replaces: id });
    await assert.rejects(order, { type: "alreadyReplaced" });
    assert.notEqual(await obtain(id), second);

    const before = client.key;
    await client.rollKey(await generateKey());
    assert.notEqual(client.key, before);
    assert.equal(await client.register(ACCOUNT), account, "it is the account of the new key");

    await client.revoke(fromPem("CERTIFICATE", second), { reason: 4 });
    await assert.rejects(client.revoke(fromPem("CERTIFICATE", second)), { type: "alreadyRevoked" });
  },
);

testWithCommands(
  PEBBLE_COMMANDS,
  "an external account is bound, and nobody gets in without",
  async () => {
    const hmacKey = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    await using pebble = await startPebble({ externalAccounts: { "kid-1": hmacKey } });
    using it = await clientOf(pebble);
    const { client } = it;
    await assert.rejects(client.register(ACCOUNT), /eab_kid is missing/);
    const wrong = { kid: "kid-1", hmacKey: hmacKey.replace("z", "y") };
    await assert.rejects(client.register({ ...ACCOUNT, external: wrong }), { code: "refused" });
    await client.register({ ...ACCOUNT, external: { kid: "kid-1", hmacKey } });
  },
);

testWithCommands(
  PEBBLE_COMMANDS,
  "a name that is not proved says why, and what is refused is told in the CA's words",
  async () => {
    await using pebble = await startPebble();
    using it = await clientOf(pebble);
    const { client } = it;
    await client.register(ACCOUNT);
    const prover: Prover = { type: "dns-01", show: async () => {}, hide: async () => {} };
    const options = {
      ...{ client, key: await generateKey(), prover },
      signal: AbortSignal.timeout(60_000),
      delay: () => new Promise<void>((resolve) => setTimeout(resolve, 50)),
    };
    await assert.rejects(obtainCertificate({ ...options, names: ["a.example"] }), {
      code: "refused",
      type: "unauthorized",
    });
    await assert.rejects(obtainCertificate({ ...options, names: ["a.example"], profile: "none" }), {
      type: "invalidProfile",
    });
    // No challenge but dns-01 proves a wildcard.
    const http = { ...prover, type: "http-01" as const };
    await assert.rejects(obtainCertificate({ ...options, names: ["*.a.example"], prover: http }), {
      code: "failed",
    });
  },
);
