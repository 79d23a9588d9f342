import assert from "node:assert/strict";
import { checkCookie, type CookieCheck, sipKey } from "../../../lib/dns/mod.ts";

/** RFC 9018, appendix A. */
const SECRET = sipKey(Uint8Array.fromHex("e5e973e5a6b2a43f48e7dc849e37bfcf"));
const OLD_SECRET = sipKey(Uint8Array.fromHex("dd3bdf9344b678b185a6f5cb60fca715"));
const NEW_SECRET = sipKey(Uint8Array.fromHex("445536bcd2513298075a5d379663c962"));
const V4 = Uint8Array.of(198, 51, 100, 100);
const OTHER_V4 = Uint8Array.of(203, 0, 113, 203);
const hex = Uint8Array.fromHex;

function answerOf(check: CookieCheck): string {
  assert(check.kind !== "malformed");
  return check.answer.toHex();
}

Deno.test("checkCookie() makes the cookie of RFC 9018 A.1 for a client that has none", () => {
  const check = checkCookie(hex("2464c4abcf10c957"), {
    address: V4,
    secret: SECRET,
    nowSeconds: 1559731985,
  });
  assert.equal(check.kind, "unknown");
  assert.equal(answerOf(check), "2464c4abcf10c957010000005cf79f111f8130c3eee29480");
});

Deno.test("checkCookie() takes a cookie within half an hour as it is (RFC 9018 A.2)", () => {
  const cookie = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
  const check = checkCookie(hex(cookie), { address: V4, secret: SECRET, nowSeconds: 1559734385 });
  // Forty minutes: a new one, for the same client.
  assert.equal(check.kind, "valid");
  assert.equal(answerOf(check), "2464c4abcf10c957010000005cf7a871d4a564a1442aca77");
  const early = checkCookie(hex(cookie), { address: V4, secret: SECRET, nowSeconds: 1559733785 });
  assert.equal(early.kind, "valid");
  assert.equal(answerOf(early), cookie);
});

Deno.test("checkCookie() hashes reserved octets as they came (RFC 9018 A.3)", () => {
  const check = checkCookie(hex("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"), {
    address: OTHER_V4,
    secret: SECRET,
    nowSeconds: 1559727985,
  });
  assert.equal(check.kind, "valid");
});

Deno.test("checkCookie() knows IPv6 clients, and not the cookie of another secret (RFC 9018 A.4)", () => {
  const address = hex("20010db80220000159ded0f4876982b8");
  const cookie = hex("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
  const whose = { address, nowSeconds: 1559741961 };
  const before = checkCookie(cookie, { ...whose, secret: OLD_SECRET });
  assert.equal(before.kind, "valid");
  assert.equal(answerOf(before), cookie.toHex());
  const after = checkCookie(cookie, { ...whose, secret: NEW_SECRET });
  assert.equal(after.kind, "unknown");
  assert.equal(answerOf(after), "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
});

Deno.test("checkCookie() refuses the address of somebody else, and every other octet", () => {
  const cookie = hex("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  const whose = { address: V4, secret: SECRET, nowSeconds: 1559731985 };
  assert.equal(checkCookie(cookie, whose).kind, "valid");
  assert.equal(checkCookie(cookie, { ...whose, address: OTHER_V4 }).kind, "unknown");
  for (let i = 0; i < cookie.length; i++) {
    const changed = cookie.slice();
    changed[i] = (changed[i] as number) ^ 1;
    assert.equal(checkCookie(changed, whose).kind, "unknown", `octet ${i}`);
  }
});

Deno.test("checkCookie() lets a cookie live for an hour, and be five minutes ahead", () => {
  const cookie = hex("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  const at = (seconds: number) =>
    checkCookie(cookie, { address: V4, secret: SECRET, nowSeconds: 1559731985 + seconds }).kind;
  assert.deepEqual([3600, 3601, -300, -301].map(at), ["valid", "unknown", "valid", "unknown"]);
});

Deno.test("checkCookie() calls lengths that no cookie has malformed", () => {
  const kinds = [0, 7, 8, 9, 15, 16, 24, 40, 41].map((length) =>
    checkCookie(new Uint8Array(length), { address: V4, secret: SECRET, nowSeconds: 0 }).kind
  );
  assert.deepEqual(kinds, [
    ...["malformed", "malformed", "unknown", "malformed", "malformed"],
    ...["unknown", "unknown", "unknown", "malformed"],
  ]);
});
