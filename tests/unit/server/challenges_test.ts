import assert from "node:assert/strict";
import { Challenges } from "../../../lib/server/challenges.ts";
import type { ClientHello } from "../../../lib/sni/mod.ts";

const hello = (parts: Partial<ClientHello>): ClientHello => ({
  ...{ alpn: ["acme-tls/1"], versions: [0x0304], legacyVersion: 0x0303, hasEch: false },
  serverName: "a.example",
  ...parts,
});
const challenge = { name: "a.example", certificate: new Uint8Array(1), key: new Uint8Array(2) };

Deno.test("Challenges answers a hello of acme-tls/1 alone for a name that is pending, and no other", () => {
  const challenges = new Challenges();
  assert.equal(challenges.answerTo(hello({})), undefined);
  challenges.set([challenge]);
  assert.equal(challenges.answerTo(hello({})), challenge);
  const others: Partial<ClientHello>[] = [
    { alpn: ["h2"] },
    { alpn: [] },
    { alpn: ["acme-tls/1", "h2"] },
    { alpn: ["h2", "acme-tls/1"] },
    { alpn: ["acme-tls/2"] },
    { serverName: "b.example" },
    { serverName: "x.a.example" },
  ];
  for (const other of others) assert.equal(challenges.answerTo(hello(other)), undefined);
  const { serverName: _, ...nameless } = hello({});
  assert.equal(challenges.answerTo(nameless), undefined);
  challenges.set([]);
  assert.equal(challenges.answerTo(hello({})), undefined);
});

Deno.test("Challenges spares refused connections while a name is pending, 64 at a time", () => {
  const challenges = new Challenges();
  assert.equal(challenges.spare(), false, "nothing is pending");
  challenges.set([challenge]);
  for (let i = 0; i < 64; i++) assert.equal(challenges.spare(), true);
  assert.equal(challenges.spare(), false);
  challenges.unspare();
  assert.equal(challenges.spare(), true);
  assert.equal(challenges.spare(), false);
});
