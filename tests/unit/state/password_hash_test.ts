import assert from "node:assert/strict";
import { formatPasswordHash, parsePasswordHash } from "../../../lib/state/mod.ts";

const SALT = "A".repeat(22);
const HASH = "B".repeat(43);

Deno.test.each([
  [`$scrypt$ln=15,r=8,p=1$${SALT}$${HASH}`, true],
  [`$scrypt$ln=10,r=8,p=1$${SALT}$${HASH}`, true],
  [`$scrypt$ln=17,r=8,p=4$${SALT}$${HASH}`, true],
  [`$scrypt$ln=9,r=8,p=1$${SALT}$${HASH}`, false],
  [`$scrypt$ln=18,r=8,p=1$${SALT}$${HASH}`, false],
  [`$scrypt$ln=99,r=8,p=1$${SALT}$${HASH}`, false],
  [`$scrypt$ln=15,r=0,p=1$${SALT}$${HASH}`, false],
  [`$scrypt$ln=15,r=8,p=0$${SALT}$${HASH}`, false],
  [`$scrypt$ln=15,r=8,p=5$${SALT}$${HASH}`, false],
  [`$scrypt$ln=15,r=8,p=1$short$${HASH}`, false],
  [`$scrypt$ln=15,r=8,p=1$${SALT}$short`, false],
  [`$argon2id$v=19$m=65536,t=3,p=4$${SALT}$${HASH}`, false],
  [` $scrypt$ln=15,r=8,p=1$${SALT}$${HASH}`, false],
  [`$scrypt$ln=15,r=8,p=1$${SALT}$${HASH}\n`, false],
  ["", false],
])("parsePasswordHash() of %s", (text, isOne) => {
  const parsed = parsePasswordHash(text);
  assert.equal(parsed !== undefined, isOne);
  if (parsed !== undefined) assert.deepEqual(parsePasswordHash(formatPasswordHash(parsed)), parsed);
});
