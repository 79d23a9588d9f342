import assert from "node:assert/strict";
import { chmodSync, statSync, writeFileSync } from "node:fs";
import { openDirectory } from "../../../lib/connector/directory_store.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const modeOf = (path: string) => statSync(path).mode & 0o777;

Deno.test("openDirectory() lets nobody else read the file, new or found", () => {
  using folder = temporaryFolder();
  const created = `${folder.path}/new.db`;
  openDirectory(created).close();
  assert.equal(modeOf(created), 0o600);
  const found = `${folder.path}/found.db`;
  writeFileSync(found, "");
  chmodSync(found, 0o644);
  openDirectory(found).close();
  assert.equal(modeOf(found), 0o600);
});
