import assert from "node:assert/strict";
import { Access } from "../../../lib/dns_control/mod.ts";

Deno.test("Access lets in to exactly the zones of its scopes", () => {
  const access = Access.of(["write:a.example", "read:B.example."]);
  assert(access);
  const zones = ["a.example.", "b.example.", "example.", "x.a.example.", "*", "."];
  const may = (right: "read" | "write") => zones.map((zone) => access.may(right, zone));
  assert.deepEqual(may("read"), [true, true, false, false, false, false]);
  assert.deepEqual(may("write"), [true, false, false, false, false, false]);
  assert.equal(access.isAdmin, false);
});

Deno.test("Access of every zone is not that of an administrator", () => {
  const access = Access.of(["read:a.", "write:*"]);
  assert.equal(access?.may("write", "a."), true);
  assert.equal(access?.isAdmin, false);
  assert.equal(Access.of(["admin"])?.isAdmin, true);
  assert.equal(Access.of([])?.may("read", "a."), false);
});

Deno.test("Access of a scope that is none is none at all", () => {
  for (
    const scope of ["", "write", "write:", "delete:a.", "write:a..b", "ADMIN", "read:.", " admin"]
  ) {
    assert.equal(Access.of(["admin", scope]), undefined, scope);
  }
});
