/**
 * Proofs that a group has to show, as one proxy of it reads and writes them.
 */
import assert from "node:assert/strict";
import { GroupProofs } from "../../../lib/control/group_proofs.ts";
import { type FoundProof, Sealer } from "../../../lib/fleet/mod.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";

const DIRECTORY = "https://ca.example/dir";
const TURN = { directory: DIRECTORY, name: "a.example", fence: 3 };
const TOKEN = "dG9rZW4";
const PROOF = { type: "http-01", token: TOKEN, keyAuthorization: `${TOKEN}.${"k".repeat(43)}` };
const TEXT = JSON.stringify(PROOF);
const never = new AbortController().signal;

function found(more: Partial<FoundProof> = {}): FoundProof {
  const id = crypto.randomUUID();
  return { ...TURN, id, proxy: "other", proof: TEXT, leftMs: 60_000, ...more };
}

/** A proxy "own" before a database that says what a test wants. */
function proxy({ sealer }: { readonly sealer?: Sealer } = {}) {
  const self = {
    there: [] as FoundProof[],
    said: [] as string[][],
    shows: [] as string[],
    written: "",
    reach: { isThere: true, shown: ["own"], alive: ["own"] },
    logs: [] as LogRecord[],
    emptied: Promise.withResolvers<void>(),
  };
  const proofs = new GroupProofs({
    orders: {
      proxy: "own",
      proofs: () => Promise.resolve(self.there),
      sayShown: (ids) => Promise.resolve(void self.said.push([...ids])),
      show: (_turn, proof) => {
        self.written = proof;
        return Promise.resolve("id");
      },
      hide: () => Promise.resolve(),
      reach: () => Promise.resolve(self.reach),
    },
    board: {
      showOthers: (others) => {
        self.shows = others.map(({ name, token }) => `${name} ${token}`);
        if (others.length === 0) self.emptied.resolve();
        return Promise.resolve();
      },
    },
    wants: (name) => name === "a.example",
    log: (record) => self.logs.push(record),
    reachMs: 50,
    sealer,
  });
  return { self, proofs };
}

Deno.test("proofs of others are shown and said to be, once each, and its own are not", async () => {
  const { self, proofs } = proxy();
  const [one, own] = [found(), found({ proxy: "own" })];
  self.there = [one, own];
  await proofs.look();
  await proofs.look();
  assert.deepEqual(self.shows, [`a.example ${TOKEN}`]);
  assert.deepEqual(self.said, [[one.id]]);
  self.there = [];
  await proofs.look();
  assert.deepEqual(self.shows, []);
  proofs.close();
});

Deno.test("nothing is shown of a name that no route wants, nor of what is no proof", async () => {
  const { self, proofs } = proxy();
  const key = "k".repeat(43);
  const texts = [
    "",
    "{",
    "null",
    JSON.stringify({ ...PROOF, type: "dns-01" }),
    JSON.stringify({ ...PROOF, token: "../x", keyAuthorization: `../x.${key}` }),
    JSON.stringify({ ...PROOF, keyAuthorization: `b3RoZXI.${key}` }),
    JSON.stringify({ ...PROOF, keyAuthorization: `${TOKEN}.short` }),
    JSON.stringify({ ...PROOF, keyAuthorization: `${TOKEN}.${key}\r\nX: y` }),
  ];
  self.there = [found({ name: "b.example" })];
  await proofs.look();
  assert.deepEqual([self.shows, self.said, self.logs], [[], [], []]);
  for (const proof of texts) {
    self.there = [found({ proof })];
    await proofs.look();
    await proofs.look();
    assert.deepEqual(self.shows, [], proof);
  }
  assert.deepEqual(self.said, []);
  assert.equal(self.logs.length, texts.length, "each is said once");
  proofs.close();
});

Deno.test("where a group has a key, nothing is shown that was not sealed in the same turn", async () => {
  const sealer = await Sealer.open("edge", [new Uint8Array(32).map((_, i) => i)]);
  const { self, proofs } = proxy({ sealer });
  await proofs.publish(TURN, { ...PROOF, type: "http-01", name: "a.example" }, never);
  assert.doesNotMatch(self.written, new RegExp(TOKEN));
  for (const more of [{ proof: TEXT }, { proof: self.written, fence: 4 }]) {
    self.there = [found(more)];
    await proofs.look();
    assert.deepEqual(self.shows, []);
  }
  self.there = [found({ proof: self.written })];
  await proofs.look();
  assert.deepEqual(self.shows, [`a.example ${TOKEN}`]);
  proofs.close();
});

Deno.test("what nobody says any more that it is to be shown is shown no longer than its turn", async () => {
  const { self, proofs } = proxy();
  self.there = [found({ leftMs: 30 })];
  await proofs.look();
  assert.equal(self.shows.length, 1);
  await self.emptied.promise;
  assert.deepEqual(self.shows, []);
  proofs.close();
});

Deno.test("whoever is there is waited for until it shows a proof, or its time is over", async () => {
  const { self, proofs } = proxy();
  const proof = { ...PROOF, type: "http-01", name: "a.example" } as const;
  self.reach = { isThere: true, shown: [], alive: ["own", "p2", "p3"] };
  const publishing = proofs.publish(TURN, proof, never);
  let isDone = false;
  publishing.then(() => isDone = true);
  await Promise.resolve();
  assert.equal(isDone, false);
  self.reach = { isThere: true, shown: ["p2", "p3"], alive: ["own", "p2", "p3"] };
  assert.equal(await publishing, "id");
  assert.equal(self.logs.length, 0);
  // One is there and does not say so: the validator may meet another.
  self.reach = { isThere: true, shown: ["p2"], alive: ["own", "p2", "p3"] };
  assert.equal(await proofs.publish(TURN, proof, never), "id");
  assert.deepEqual(self.logs.map(({ fields }) => fields?.proxies), ["p3"]);
  // It was another's turn meanwhile.
  self.reach = { isThere: false, shown: [], alive: ["own", "p2"] };
  await assert.rejects(proofs.publish(TURN, proof, never), { code: "cancelled" });
});
