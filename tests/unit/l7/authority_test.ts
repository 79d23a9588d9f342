import assert from "node:assert/strict";
import { hostOfAuthority } from "../../../lib/l7/authority.ts";

const NAMES: Readonly<Record<string, string | undefined>> = {
  "a.test": "a.test",
  "A.Test": "a.test",
  "a.test.": "a.test",
  "a.test:443": "a.test",
  "a.test:": "a.test",
  "a.test.:8443": "a.test",
  "": undefined,
  ":443": undefined,
  "a.test:https": undefined,
  "a.test:443:443": undefined,
  "user@a.test": undefined,
  "a.test, b.test": undefined,
  "a.test/path": undefined,
  "127.0.0.1": undefined,
  "[::1]:443": undefined,
  "a..test": undefined,
  "a.test\0.b.test": undefined,
};

for (const [authority, name] of Object.entries(NAMES)) {
  Deno.test(`hostOfAuthority() of ${JSON.stringify(authority)} is ${name ?? "no name"}`, () => {
    assert.equal(hostOfAuthority(authority), name);
  });
}
