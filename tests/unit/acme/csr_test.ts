import "reflect-metadata";
import assert from "node:assert/strict";
import {
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from "@peculiar/x509";
import {
  createChallengeCertificate,
  createCsr,
  exportKeyPem,
  generateKey,
  importKeyPem,
} from "../../../lib/acme/mod.ts";
import { runCommand, testWithCommands } from "../../support/commands.ts";

Deno.test("createCsr() asks for the names with a signature of the key, in another's eyes", async () => {
  const key = await generateKey();
  const names = ["a.example", "*.b.example", `${"long.".repeat(20)}example`];
  const request = new Pkcs10CertificateRequest(await createCsr(key, names));
  assert.equal(await request.verify(), true);
  assert.equal(request.subject, "");
  const extension = request.getExtension("2.5.29.17");
  const san = extension && new SubjectAlternativeNameExtension(extension.rawData);
  assert.deepEqual(
    san?.names.items.map(({ type, value }) => [type, value]),
    names.map((name) => [
      "dns",
      name,
    ]),
  );
});

testWithCommands(["openssl"], "createCsr() is a request that OpenSSL takes", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, await createCsr(await generateKey(), ["a.example"]));
  const args = ["req", "-inform", "DER", "-in", path, "-verify", "-noout", "-text"];
  const { code, stdout, stderr } = await runCommand("openssl", args);
  await Deno.remove(path);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /DNS:a\.example/);
});

Deno.test("createChallengeCertificate() is of one name and critical, as RFC 8737 asks", async () => {
  const key = await generateKey();
  const der = await createChallengeCertificate(key, {
    name: "a.example",
    keyAuthorization: "token.thumbprint",
    nowMs: Date.now(),
  });
  const certificate = new X509Certificate(der);
  assert.equal(await certificate.verify(), true);
  const identifier = certificate.getExtension("1.3.6.1.5.5.7.1.31");
  assert.equal(identifier?.critical, true);
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode("token.thumbprint"),
  );
  assert.equal(
    new Uint8Array(identifier?.value ?? []).toHex(),
    `0420${new Uint8Array(digest).toHex()}`,
  );
});

Deno.test("importKeyPem() reads what exportKeyPem() wrote, and tells nothing of what is broken", async () => {
  const key = await generateKey();
  const pem = await exportKeyPem(key);
  const again = await importKeyPem(pem);
  assert.deepEqual(
    await crypto.subtle.exportKey("jwk", again.publicKey),
    await crypto.subtle.exportKey("jwk", key.publicKey),
  );
  const broken = pem.slice(0, 90);
  await assert.rejects(importKeyPem(broken), (error: Error) => !/MII|BEGIN/.test(error.message));
});
