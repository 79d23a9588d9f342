import assert from "node:assert/strict";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { loadRevocationLists, parseCertificate, readIdentity } from "../../lib/connector/mod.ts";
import { createAuthority, issueCertificate, issueRevocationList } from "../support/certificates.ts";

const ROUNDS = 4000;
const NOW = Date.now();

/** xorshift32: small, seeded, good enough to choose octets. */
function createRandom(seed: number): (below: number) => number {
  let state = seed || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const out = [...bytes];
  for (let i = random(4) + 1; i > 0; i--) {
    const at = random(out.length);
    const kind = random(4);
    if (kind === 0) out[at] = random(256);
    else if (kind === 1) out[at] = (out[at] ?? 0) ^ 1 << random(8);
    else if (kind === 2) out.splice(at, random(8) + 1);
    else out.splice(at, 0, random(256));
  }
  return Uint8Array.from(out);
}

/** Runs again with `FUZZ_SEED=… deno test …`; a failure names the seed. */
Deno.test("parseCertificate() and loadRevocationLists() never throw, whatever the octets", async () => {
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? Math.trunc(Math.random() * 2 ** 31));
  const random = createRandom(seed);
  const authority = await createAuthority({ commonName: "root" });
  const issued = await issueCertificate(authority, {
    commonName: "alice",
    uris: ["spiffe://e/orgs/o/users/u"],
    usages: ["client"],
  });
  const der = new Uint8Array(issued.cert.rawData);
  const list = new Uint8Array(
    x509.PemConverter.decodeFirst(await issueRevocationList(authority, [issued])),
  );
  for (let round = 0; round < ROUNDS; round++) {
    try {
      const mutated = mutate(der, random);
      const parsed = parseCertificate(mutated);
      const identity = readIdentity(mutated, { issuer: "e", nowMs: NOW });
      if (identity.ok) assert.ok(parsed.ok);
      // Whatever changed, the signature no longer fits: a changed list never loads.
      const changed = mutate(list, random);
      const options = { authorities: [authority.certPem], nowMs: NOW };
      const same = changed.toHex() === list.toHex();
      assert.equal(loadRevocationLists([changed], options).ok, same);
    } catch (cause) {
      throw new Error(`seed ${seed}, round ${round}`, { cause });
    }
  }
});
