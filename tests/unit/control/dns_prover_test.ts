import assert from "node:assert/strict";
import { AcmeError, dnsProofText, type TextChange } from "../../../lib/acme/mod.ts";
import { DnsProver } from "../../../lib/control/dns_prover.ts";

const PROOF = { name: "a.example", token: "t", keyAuthorization: "t.k" };
const KEPT = { type: "dns-01", token: "t", keyAuthorization: "t.k" };
const TEXT = await dnsProofText("t.k");
const { signal } = new AbortController();

function start(fail: (change: TextChange) => AcmeError | undefined = () => undefined) {
  const changes: string[] = [];
  const messages: string[] = [];
  const prover = new DnsProver({
    server: "127.0.0.1:53",
    zones: ["a.example"],
    write(change) {
      const error = fail(change);
      if (error !== undefined) return Promise.reject(error);
      changes.push(`${change.present ? "+" : "-"} ${change.zone} ${change.name} ${change.text}`);
      return Promise.resolve();
    },
  }, {
    log: ({ message }) => void messages.push(message),
    resolvers: [],
    aliasOf: () => Promise.resolve(undefined),
  });
  return { prover, changes, messages, [Symbol.dispose]: () => prover.close() };
}

const gone = `- a.example _acme-challenge.a.example ${TEXT}`;

Deno.test("a proof is shown once and taken back once", async () => {
  using it = start();
  await it.prover.show(PROOF, signal);
  await it.prover.forget("a.example", KEPT);
  assert.equal(it.changes.length, 1, "it is being looked at");
  for (let i = 0; i < 2; i++) await it.prover.hide(PROOF);
  assert.deepEqual(it.changes, [`+ a.example _acme-challenge.a.example ${TEXT}`, gone]);
});

Deno.test("what a process before has kept is removed, of wildcards where they are proved", async () => {
  using it = start();
  await it.prover.forget("*.a.example", KEPT);
  assert.deepEqual(it.changes, [gone]);
  await it.prover.forget("a.example", { ...KEPT, type: "http-01" });
  await it.prover.forget("a.example");
  assert.equal(it.changes.length, 1);
});

Deno.test("what was refused is not taken back; what may be there is, when it can be", async () => {
  let code: "refused" | "network" | undefined = "refused";
  using it = start(() => code && new AcmeError(code, "no"));
  await assert.rejects(it.prover.show(PROOF, signal));
  await it.prover.hide(PROOF);
  assert.deepEqual(it.messages, []);
  code = "network";
  await assert.rejects(it.prover.show(PROOF, signal));
  await it.prover.hide(PROOF);
  assert.deepEqual(it.messages, ["a proof was left at the name server"]);
  code = undefined;
  // Shown again before it was removed: it stays.
  await it.prover.show(PROOF, signal);
  assert.equal(it.changes.length, 1);
});
