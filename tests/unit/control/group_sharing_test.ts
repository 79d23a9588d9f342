/**
 * What proxies share, over a database that does what whoever owns it wants.
 */
import assert from "node:assert/strict";
import {
  GroupSharing,
  type KnownSecret,
  type OwnSecret,
} from "../../../lib/control/group_sharing.ts";
import { type FoundSecret, Sealer } from "../../../lib/fleet/mod.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";

const KEY = new Uint8Array(32).map((_, i) => i);
const NEW_KEY = new Uint8Array(32).map((_, i) => 255 - i);
const NAME = "thing of all";

/** PostgreSQL, as far as it matters here. */
class Store {
  readonly rows = new Map<string, FoundSecret & { readonly place: number }>();
  place = 0;
  puts = 0;

  read(after: number) {
    const secrets = [...this.rows.values()].filter(({ place }) => place > after)
      .sort((a, b) => a.place - b.place);
    return Promise.resolve({ place: this.place, read: this.place, secrets });
  }

  put(secret: Pick<FoundSecret, "name" | "version" | "sealed">, seen: string | undefined) {
    if (this.rows.get(secret.name)?.id !== seen) return Promise.resolve(false);
    this.puts++;
    this.set({ ...secret, id: crypto.randomUUID(), proxy: "p" });
    return Promise.resolve(true);
  }

  /** As its owner may. */
  set(secret: FoundSecret): void {
    this.rows.set(secret.name, { ...secret, place: ++this.place });
  }

  get only(): FoundSecret {
    const [row] = this.rows.values();
    assert.ok(row !== undefined);
    return row;
  }
}

/** A proxy that has one thing, or none. */
async function member(store: Store, { keys = [KEY], has = "" } = {}) {
  const logs: LogRecord[] = [];
  const memory = new Map<string, KnownSecret>();
  const self = { has, activated: 0 };
  const sharing = new GroupSharing({
    secrets: store,
    sealer: await Sealer.open("edge", keys),
    memory: {
      known: (name) => memory.get(name),
      note: (name, known) => Promise.resolve(void memory.set(name, known)),
    },
    kinds: [{
      kind: "thing",
      list: (): OwnSecret[] =>
        self.has === "" ? [] : [{ name: NAME, digest: self.has, content: self.has }],
      take: ({ name, version, content }) => {
        if (content === "broken") return Promise.resolve({ ok: false, reason: "it is broken" });
        self.has = content;
        memory.set(name, { version, digest: content });
        return Promise.resolve({ ok: true, digest: content });
      },
    }],
    activate: () => Promise.resolve(void self.activated++),
    log: (record) => logs.push(record),
  });
  return { self, sharing, logs, memory, look: () => sharing.look() };
}

Deno.test("what one has all have, and nobody shares it again", async () => {
  const store = new Store();
  const [one, two, three] = [
    await member(store, { has: "a" }),
    await member(store),
    await member(store),
  ];
  for (const each of [one, two, three, one, two, three]) await each.look();
  assert.deepEqual([two.self.has, three.self.has], ["a", "a"]);
  assert.deepEqual([store.puts, store.only.version], [1, 1]);
  assert.deepEqual([one.self.activated, two.self.activated, three.self.activated], [0, 1, 1]);
  // The next one, of another proxy.
  two.self.has = "b";
  for (const each of [two, one, three, two]) await each.look();
  assert.deepEqual([one.self.has, three.self.has], ["b", "b"]);
  assert.deepEqual([store.puts, store.only.version], [2, 2]);
});

Deno.test("of two that are first at once one is first", async () => {
  const store = new Store();
  const [one, two] = [await member(store, { has: "a" }), await member(store, { has: "b" })];
  await Promise.all([one.look(), two.look()]);
  await Promise.all([one.look(), two.look()]);
  assert.equal(one.self.has, two.self.has);
  assert.equal(store.only.version, 1);
});

Deno.test("what was altered is not taken, and what is here takes its place", async () => {
  const store = new Store();
  const [one, two] = [await member(store, { has: "a" }), await member(store)];
  await one.look();
  const { sealed } = store.only;
  const stranger = await Sealer.open("edge", [NEW_KEY]);
  const forged = [
    sealed.slice(0, -8) + "AAAAAAA=",
    "anything",
    // Of another version, and sealed for another name.
    await (await Sealer.open("edge", [KEY])).seal({ name: NAME, version: 9 }, "evil"),
    await (await Sealer.open("edge", [KEY])).seal({ name: "thing of b", version: 2 }, "evil"),
    await (await Sealer.open("other", [KEY])).seal({ name: NAME, version: 2 }, "evil"),
  ];
  for (const each of forged) {
    store.set({ ...store.only, sealed: each, version: store.only.version + 1 });
    await two.look();
    assert.notEqual(two.self.has, "evil");
    assert.equal(two.self.has, "");
    assert.match(
      two.sharing.warnings[0] ?? "",
      /no proxy of the group has sealed it so|nothing that/,
    );
    await one.look();
    assert.equal(one.self.has, "a");
    await two.look();
    assert.equal(two.self.has, "a", "it is mended");
    assert.deepEqual(two.sharing.warnings, []);
    Object.assign(two.self, { has: "" });
    two.memory.clear();
  }
  // Of a key that is not known here nobody can say whether it is worse.
  const foreign = await stranger.seal({ name: NAME, version: 99 }, "newer");
  store.set({ ...store.only, sealed: foreign, version: 99 });
  await one.look();
  await one.look();
  assert.equal(store.only.sealed, foreign, "it stays");
  assert.match(
    one.sharing.warnings[0] ?? "",
    /sealed with the key [0-9a-f]{16}, and share_key_file/,
  );
  assert.equal(one.logs.filter(({ level }) => level === "warn").length, forged.length + 1);
});

Deno.test("what is older than what was seen is not taken, and said", async () => {
  const store = new Store();
  const [one, two] = [await member(store, { has: "a" }), await member(store)];
  for (const each of [one, two]) await each.look();
  const old = { ...store.only };
  one.self.has = "b";
  for (const each of [one, two]) await each.look();
  assert.deepEqual([two.self.has, store.only.version], ["b", 2]);
  store.set(old);
  await two.look();
  assert.equal(two.self.has, "b");
  const said = two.logs.find(({ message }) => message === "what the group shares is not used");
  assert.match(
    String(said?.fields?.reason),
    /has version 1, and this proxy has seen 2: it was restored/,
  );
  // The newest takes its place, as a newer one yet.
  assert.equal(store.only.version, 3);
  const late = await member(store);
  await late.look();
  assert.equal(late.self.has, "b");
});

Deno.test("a database that was restored to an older point is filled again", async () => {
  const store = new Store();
  const one = await member(store, { has: "a" });
  await one.look();
  one.self.has = "b";
  await one.look();
  await one.look();
  store.rows.clear();
  store.place = 0;
  await one.look();
  assert.equal(store.only.version, 3);
  const two = await member(store);
  await two.look();
  assert.equal(two.self.has, "b");
});

Deno.test("what cannot be used is not, and what is here takes its place", async () => {
  const store = new Store();
  const [one, two] = [await member(store, { has: "broken" }), await member(store)];
  await one.look();
  await two.look();
  assert.equal(two.self.has, "");
  assert.match(two.sharing.warnings[0] ?? "", /the group's thing of all: it is broken/);
  two.self.has = "good";
  await two.look();
  await one.look();
  assert.equal(one.self.has, "good");
  assert.deepEqual(two.sharing.warnings, []);
});

Deno.test("keys are exchanged while everybody is served", async () => {
  const store = new Store();
  const before = await member(store, { has: "a" });
  await before.look();
  // First the new one is known everywhere, and nothing is sealed with it.
  const during = await member(store, { keys: [KEY, NEW_KEY] });
  await during.look();
  assert.deepEqual([during.self.has, store.puts], ["a", 1]);
  // Then it is sealed with the new one, as the same version; whoever knows both has it.
  const after = await member(store, { keys: [NEW_KEY, KEY] });
  await after.look();
  assert.deepEqual([after.self.has, store.puts, store.only.version], ["a", 2, 1]);
  for (const each of [during, after]) await each.look();
  assert.deepEqual([during.sharing.warnings, store.puts], [[], 2]);
  // Whoever has the new one alone needs no more.
  const last = await member(store, { keys: [NEW_KEY] });
  await last.look();
  assert.equal(last.self.has, "a");
  // And whoever was forgotten says so.
  await before.look();
  assert.match(before.sharing.warnings[0] ?? "", /sealed with the key/);
  assert.equal(before.self.has, "a");
});
