import assert from "node:assert/strict";
import { backOff, renewalId, renewalTime } from "../../../lib/acme/mod.ts";
import { createAuthority, issueCertificate } from "../../support/certificates.ts";

const LIFE = { notBeforeMs: 0, notAfterMs: 90_000 };

Deno.test("renewalTime() is when a third of the lifetime is left, if the CA says nothing", () => {
  assert.equal(renewalTime(LIFE, { window: undefined, random: 0.5 }), 60_000);
});

Deno.test("renewalTime() is a random point of the CA's window, and never past nine tenths", () => {
  const window = { startMs: 10_000, endMs: 20_000, retryAfterMs: undefined };
  assert.equal(renewalTime(LIFE, { window, random: 0 }), 10_000);
  assert.equal(renewalTime(LIFE, { window, random: 0.25 }), 12_500);
  const past = { startMs: -20_000, endMs: -10_000, retryAfterMs: undefined };
  assert.ok(renewalTime(LIFE, { window: past, random: 0.9 }) < 0, "now");
  const late = { startMs: 95_000, endMs: 99_000, retryAfterMs: undefined };
  assert.equal(renewalTime(LIFE, { window: late, random: 0.5 }), 81_000);
});

Deno.test("backOff() grows from a minute to six hours, with a tenth of jitter", () => {
  const minutes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100].map((failures) =>
    backOff(failures, { random: 0.5 }) / 60_000
  );
  assert.deepEqual(minutes, [1, 2, 5, 10, 20, 40, 80, 160, 360, 360, 360]);
  assert.equal(backOff(1, { random: 0 }), 54_000);
  assert.equal(backOff(1, { random: 0.999999 }), 66_000);
  assert.equal(backOff(1, { random: 0.5, retryAfterMs: 3_600_000 }), 3_600_000);
});

Deno.test("renewalId() is the example of RFC 9773 §4.1", () => {
  // Of the RFC's appendix A.
  const pem = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
`;
  assert.equal(renewalId(pem), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
});

Deno.test("renewalId() is none where a certificate names no key of its authority, or is none", async () => {
  const root = await createAuthority({ commonName: "root" });
  const { certPem } = await issueCertificate(root, { dnsNames: ["a.example"], usages: ["server"] });
  for (const pem of [certPem, "", "rubbish"]) {
    const id = renewalId(pem);
    assert.ok(id === undefined || /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(id));
  }
  assert.equal(renewalId(""), undefined);
});
