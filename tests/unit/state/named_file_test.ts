import assert from "node:assert/strict";
import { type AnyField, type RecordShape, Report } from "../../../lib/schema/mod.ts";
import { locateFile, STATE, stateFile } from "../../../lib/state/mod.ts";

function problemOf(text: string): string | undefined {
  const report = new Report();
  const read = stateFile().read(text, { path: ["tls_cert"], report });
  assert.equal(read, report.isEmpty ? text : "");
  return report.problems[0]?.message;
}

Deno.test("stateFile() takes a path, or file: and a name that is none", () => {
  const taken = ["/a/b.pem", "./file:x", "a.pem", "file", "File:x", "file:a", "file:site-cert.2_b"];
  for (const text of taken) assert.equal(problemOf(text), undefined, text);
  assert.equal(problemOf(`file:${"a".repeat(63)}`), undefined);
});

Deno.test("stateFile() refuses a name that could be a path, and says so", () => {
  const refused = ["file:", "file:/etc/a.pem", "file:../a", "file:A", "file:.a", "file:a b"];
  for (const text of [...refused, `file:${"a".repeat(64)}`, "file:a/b", "file://a"]) {
    assert.match(problemOf(text) ?? "", /after "file:" comes the name of a file, no path/, text);
  }
  assert.match(problemOf("a\0b") ?? "", /NUL/);
});

Deno.test("locateFile() gives paths as they are, and the place of a name", () => {
  const places = [{ name: "a", path: "/srv/a.pem" }, { name: "b", path: "b.pem" }];
  assert.deepEqual(locateFile("/a", places), { ok: true, value: "/a" });
  assert.deepEqual(locateFile("a", places), { ok: true, value: "a" });
  assert.deepEqual(locateFile("file:a", places), { ok: true, value: "/srv/a.pem" });
  assert.deepEqual(locateFile("file:b", places), { ok: true, value: "b.pem" });
  const missing = locateFile("file:c", places);
  assert.ok(!missing.ok);
  assert.match(missing.reason, /state\.local\.files does not say where the file "c" is here/);
});

Deno.test("every field of the state that is a path takes a name", () => {
  const doc = stateFile().doc;
  const named = [...fieldsOf(STATE.shape)].filter(({ kind }) => /path of a file/.test(kind.doc));
  const keys = named.map(({ key }) => key).sort();
  assert.deepEqual(keys, ["backend_ca", "file", "tls_cert", "tls_key"]);
  for (const { key, kind } of named) assert.equal(kind.doc, doc, key);
});

function* fieldsOf({ fields }: RecordShape): Generator<AnyField> {
  for (const field of fields.values()) {
    yield field;
    if (field.kind.shape !== undefined) yield* fieldsOf(field.kind.shape);
  }
}
