import assert from "node:assert/strict";
import { parseConnectId, parseHostAddress } from "../../../lib/connector/mod.ts";

const DOMAIN = "connect.tinyscale.com";

Deno.test.each([
  ["host-123", "host-123"],
  ["a", "a"],
  ["0", "0"],
  ["db_1", "db_1"],
  ["x".repeat(63), "x".repeat(63)],
  ["xn--bcher-kva", "xn--bcher-kva"],
])("parseConnectId() takes the label %s", (label, want) => {
  assert.deepEqual(parseConnectId(`${label}.${DOMAIN}`, DOMAIN), { ok: true, value: want });
});

Deno.test.each([
  [DOMAIN],
  [`.${DOMAIN}`],
  [`a.b.${DOMAIN}`],
  [`a${DOMAIN}`],
  [`a.x${DOMAIN}`],
  [`a.${DOMAIN}.`],
  [`a.${DOMAIN}.evil.example`],
  [`a.${DOMAIN.toUpperCase()}`],
  [`A.${DOMAIN}`],
  [`-a.${DOMAIN}`],
  [`a-.${DOMAIN}`],
  [`*.${DOMAIN}`],
  [`a\0b.${DOMAIN}`],
  [`a'--.${DOMAIN}`],
  [`a/b.${DOMAIN}`],
  [`a\n.${DOMAIN}`],
  [`ä.${DOMAIN}`],
  [`${"x".repeat(64)}.${DOMAIN}`],
  ["a.connect.other.com"],
  [""],
])("parseConnectId() refuses %j", (name) => {
  assert.equal(parseConnectId(name, DOMAIN).ok, false);
});

Deno.test("parseConnectId() refuses everything without a domain", () => {
  assert.equal(parseConnectId("a", "").ok, false);
  assert.equal(parseConnectId("a.", "").ok, false);
});

Deno.test.each([
  ["10.0.0.5", "10.0.0.5", 22],
  ["10.0.0.5:2222", "10.0.0.5", 2222],
  ["FD00::5", "fd00::5", 22],
  ["[fd00::5]:80", "fd00::5", 80],
])("parseHostAddress() reads %s", (text, host, port) => {
  assert.deepEqual(parseHostAddress(text, 22), { ok: true, value: { host, port } });
});

Deno.test.each([
  [""],
  ["db.internal"],
  ["db.internal:22"],
  ["10.0.0.5:0"],
  ["10.0.0.5:70000"],
  ["10.0.0.05"],
  ["10.0.0.5/32"],
  ["fd00::5:"],
  ["10.0.0.5 "],
  ["10.0.0.5\0"],
])("parseHostAddress() refuses %j", (text) => {
  assert.equal(parseHostAddress(text, 22).ok, false);
});
