import assert from "node:assert/strict";
import { AlreadyExistsError, DatabaseError, NotFoundError } from "../../../lib/db/mod.ts";
import { toDatabaseError } from "../../../lib/sqlite/errors.ts";

Deno.test.each([
  [5, "locked"],
  [261, "locked"],
  [6, "locked"],
  [8, "read_only"],
  [778, "io_error"],
  [11, "corrupt"],
  [13, "disk_full"],
  [14, "cannot_open"],
  [19, "invalid_value"],
  [275, "invalid_value"],
  [787, "not_found"],
  [1555, "already_exists"],
  [2067, "already_exists"],
  [26, "corrupt"],
  [1, "failed"],
])("toDatabaseError() reads SQLite's code %d as %s", (errcode, want) => {
  const cause = Object.assign(new Error("unread"), { code: "ERR_SQLITE_ERROR", errcode });
  const error = toDatabaseError(cause, "cannot do it");
  assert.equal(error.code, want);
  assert.equal(error.cause, cause);
  assert.match(error.message, /^cannot do it: (?!.*unread)/);
});

Deno.test.each([
  ["ENOSPC", "disk_full"],
  ["EDQUOT", "disk_full"],
  ["EROFS", "read_only"],
  ["EACCES", "not_permitted"],
  ["EPERM", "not_permitted"],
  ["ENOENT", "missing_directory"],
  ["ENOTDIR", "missing_directory"],
  ["EIO", "io_error"],
  ["EXXX", "failed"],
])("toDatabaseError() reads the system's code %s as %s", (code, want) => {
  assert.equal(toDatabaseError(Object.assign(new Error(), { code }), "cannot").code, want);
});

Deno.test("toDatabaseError() reads Deno's refusal, and what is no error at all", () => {
  assert.equal(toDatabaseError(new Deno.errors.NotCapable("x"), "y").code, "not_permitted");
  assert.equal(toDatabaseError(new RangeError("x"), "y").code, "failed");
  assert.equal(toDatabaseError("x", "y").code, "failed");
});

Deno.test("toDatabaseError() gives its own class to what callers tell apart", () => {
  const of = (errcode: number) => toDatabaseError(Object.assign(new Error(), { errcode }), "x");
  assert(of(2067) instanceof AlreadyExistsError);
  assert(of(787) instanceof NotFoundError);
  const already = new DatabaseError("locked", "x");
  assert.equal(toDatabaseError(already, "y"), already);
});
