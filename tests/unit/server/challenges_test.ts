import assert from "node:assert/strict";
import { Challenges } from "../../../lib/server/challenges.ts";
import type { ClientHello } from "../../../lib/sni/mod.ts";

const hello = (parts: Partial<ClientHello>): ClientHello => ({
  alpn: ["acme-tls/1"],
  serverName: "a.example",
  ...parts,
});
const TLS = { isRedirect: false };
const HTTP = { isRedirect: true };
const challenge = {
  type: "tls-alpn-01",
  name: "a.example",
  certificate: new Uint8Array(1),
  key: new Uint8Array(2),
} as const;
const token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const httpProof = {
  type: "http-01",
  name: "a.example",
  token,
  keyAuthorization: `${token}.x`,
} as const;

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
  assert.equal(challenges.spare(TLS), false, "nothing is pending");
  challenges.set([challenge]);
  for (let i = 0; i < 64; i++) assert.equal(challenges.spare(TLS), true);
  assert.equal(challenges.spare(TLS), false);
  challenges.unspare();
  assert.equal(challenges.spare(TLS), true);
  assert.equal(challenges.spare(TLS), false);
});

Deno.test("Challenges spares on the kind of listener that a proof is looked for at", () => {
  const challenges = new Challenges();
  challenges.set([httpProof]);
  assert.equal(challenges.spare(TLS), false);
  assert.equal(challenges.spare(HTTP), true);
  challenges.set([challenge]);
  assert.equal(challenges.spare(TLS), true);
  assert.equal(challenges.spare(HTTP), false);
});

Deno.test("Challenges shows a proof of http-01 for its name and token, while it is pending", () => {
  const challenges = new Challenges();
  challenges.set([httpProof]);
  assert.equal(challenges.proof("a.example", token), httpProof.keyAuthorization);
  assert.equal(challenges.proof("a.example", ""), undefined);
  assert.equal(challenges.proof("a.example", `${token}x`), undefined);
  assert.equal(challenges.proof("b.example", token), undefined);
  assert.equal(challenges.answerTo(hello({})), undefined, "no hello is answered with it");
  challenges.set([challenge]);
  assert.equal(challenges.proof("a.example", token), undefined);
});
