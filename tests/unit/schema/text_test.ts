import assert from "node:assert/strict";
import {
  field,
  list,
  parsed,
  record,
  recordOfText,
  textOfRecord,
} from "../../../lib/schema/mod.ts";
import { BACKEND, HEALTH } from "../../../lib/state/mod.ts";

for (
  const [text, wanted] of [
    ["10.0.0.1:443", { addr: "10.0.0.1:443" }],
    ["addr=10.0.0.1:443", { addr: "10.0.0.1:443" }],
    ["[::1]:443,weight=2,backup", { addr: "[::1]:443", weight: 2, backup: true }],
    ["a:1,backup=false,max_connections=7", { addr: "a:1", backup: false, maxConnections: 7 }],
    ['{"addr":"a:1","weight":3}', { addr: "a:1", weight: 3 }],
  ] as const
) {
  Deno.test(`recordOfText() reads ${text}`, () => {
    assert.deepEqual(recordOfText(BACKEND.shape, text), wanted);
  });
}

for (
  const [text, message] of [
    ["a:1,wieght=2", /there is no wieght; there are addr, weight/],
    ["a:1,weight", /weight has no value/],
    ["a:1,weight=x", /weight is no whole number/],
    ["a:1,backup=yes", /backup is true or false/],
    ["{", /is no JSON/],
    ['{"addr":1}', /other keys or values/],
    ['{"addr":"a:1","what":1}', /other keys or values/],
  ] as const
) {
  Deno.test(`recordOfText() refuses ${text}`, () => {
    assert.throws(() => recordOfText(BACKEND.shape, text), message);
  });
}

Deno.test("recordOfText() takes no value without its key where nothing names a record", () => {
  assert.throws(() => recordOfText(HEALTH.shape, "http"), /there is no http/);
  assert.deepEqual(recordOfText(HEALTH.shape, "kind=http,interval=2s"), {
    kind: "http",
    intervalMs: 2000,
  });
});

Deno.test("textOfRecord() writes what recordOfText() reads", () => {
  const backend = { addr: "a:1", weight: 2, backup: true, maxConnections: 5, state: "drain" };
  const text = textOfRecord(BACKEND.shape, backend);
  assert.equal(text, "a:1,weight=2,backup,max_connections=5,state=drain");
  assert.deepEqual(recordOfText(BACKEND.shape, text), backend);
});

Deno.test("textOfRecord() writes JSON where a value does not fit into words, and it is read again", () => {
  const shape = record({
    name: field("name", parsed("text", (value) => ({ ok: true, value })), { default: "", doc: "" }),
    names: field("names", list(parsed("text", (value) => ({ ok: true, value }))), {
      optional: true,
      doc: "",
    }),
  }, { identity: ["name"] }).shape;
  for (const value of [{ name: "a,b" }, { name: "x", names: ["1", "2"] }, { name: "{" }]) {
    const text = textOfRecord(shape, value);
    assert.equal(text[0], "{");
    assert.deepEqual(recordOfText(shape, text), value);
  }
  assert.equal(textOfRecord(shape, { name: "plain" }), "plain");
});
