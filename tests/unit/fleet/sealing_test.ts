import assert from "node:assert/strict";
import { parseShareKeys } from "../../../lib/config/mod.ts";
import { Sealer } from "../../../lib/fleet/mod.ts";

const KEY = new Uint8Array(32).map((_, i) => i);
const OTHER = new Uint8Array(32).map((_, i) => 255 - i);
const AS = { name: "certificate https://ca.example/dir a.example", version: 7 };

Deno.test("Sealer opens what was sealed as the same, in the same group, and nothing else", async () => {
  const sealer = await Sealer.open("edge", [KEY]);
  const sealed = await sealer.seal(AS, "a secret ✓");
  assert.doesNotMatch(sealed, /secret/);
  assert.deepEqual(await sealer.unseal(AS, sealed), { ok: true, text: "a secret ✓", isOld: false });
  const other = await Sealer.open("other", [KEY]);
  for (
    const opened of [
      await sealer.unseal({ ...AS, version: 6 }, sealed),
      await sealer.unseal({ ...AS, version: 8 }, sealed),
      await sealer.unseal({ ...AS, name: "certificate https://ca.example/dir b.example" }, sealed),
      await other.unseal(AS, sealed),
    ]
  ) assert.ok(!opened.ok && opened.why === "altered", JSON.stringify(opened));
});

Deno.test("Sealer opens nothing of which an octet has changed, at any place", async () => {
  const sealer = await Sealer.open("edge", [KEY]);
  const sealed = await sealer.seal(AS, "a secret");
  for (let i = 0; i < sealed.length; i++) {
    const changed = `${sealed.slice(0, i)}${sealed[i] === "A" ? "B" : "A"}${sealed.slice(i + 1)}`;
    assert.equal((await sealer.unseal(AS, changed)).ok, false, String(i));
    assert.equal((await sealer.unseal(AS, sealed.slice(0, i))).ok, false, String(i));
  }
  for (const given of ["", ".", "1...", "1.x.y.z", `${sealed}.`, sealed.replace("1.", "2.")]) {
    const opened = await sealer.unseal(AS, given);
    assert.ok(!opened.ok, given);
  }
});

Deno.test("Sealer seals the same twice as two, each with a key of its own", async () => {
  const sealer = await Sealer.open("edge", [KEY]);
  const all = await Promise.all(Array.from({ length: 20 }, () => sealer.seal(AS, "same")));
  assert.equal(new Set(all.map((it) => it.split(".")[2])).size, all.length, "salts");
  assert.equal(new Set(all.map((it) => it.split(".")[3])).size, all.length, "ciphertexts");
});

Deno.test("Sealer says which key is missing, and opens with the old one of two", async () => {
  const [one, two] = [await Sealer.open("edge", [KEY]), await Sealer.open("edge", [OTHER])];
  assert.notEqual(one.keyName, two.keyName);
  const sealed = await one.seal(AS, "a secret");
  const opened = await two.unseal(AS, sealed);
  assert.ok(!opened.ok && opened.why === "other_key");
  assert.ok(opened.reason.includes(one.keyName) && opened.reason.includes(two.keyName));
  const both = await Sealer.open("edge", [OTHER, KEY]);
  assert.deepEqual(await both.unseal(AS, sealed), { ok: true, text: "a secret", isOld: true });
  assert.equal((await two.unseal(AS, await both.seal(AS, "x"))).ok, true);
  await assert.rejects(Sealer.open("edge", [KEY.slice(1)]), RangeError);
});

Deno.test("parseShareKeys() takes one key or two, and repeats nothing of what is none", () => {
  const text = KEY.toBase64();
  assert.deepEqual(parseShareKeys(`${text}\n`), { ok: true, value: [KEY] });
  assert.deepEqual(parseShareKeys(`\n ${text}\r\n${OTHER.toBase64()}`), {
    ok: true,
    value: [KEY, OTHER],
  });
  const refused = [
    "",
    "\n",
    KEY.slice(1).toBase64(),
    `${text}A`,
    text.slice(0, -1),
    KEY.toHex(),
    `${text}\n${text}\n${text}`,
    new Uint8Array(32).toBase64(),
  ];
  for (const given of refused) {
    const found = parseShareKeys(given);
    assert.ok(!found.ok, given);
    assert.ok(given === "" || !found.reason.includes(given.slice(0, 8) || "\0"), found.reason);
  }
});
