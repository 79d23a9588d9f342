import assert from "node:assert/strict";
import {
  FieldError,
  isAuthority,
  isFieldName,
  isFieldValue,
  isMethod,
  isPath,
  isScheme,
  isSpace,
  isToken,
  latin1,
  NAME_OCTET,
  OCTETS,
  parseContentLength,
  VALUE_OCTET,
  writeLatin1,
} from "../../../lib/http/mod.ts";

const EVERY = Array.from({ length: 256 }, (_, octet) => octet);
const ALPHABET = "abcdefghijklmnopqrstuvwxyz";
const DIGITS = "0123456789";
/** RFC 9110 §5.6.2, "tchar", but for the letters. */
const TOKEN_SIGNS = "!#$%&'*+-.^_`|~";

/** The octets that `accepts` takes, as a string. */
function taken(accepts: (text: string) => boolean): string {
  return EVERY.map((octet) => String.fromCharCode(octet)).filter(accepts).join("");
}

const sorted = (...texts: string[]) => [...texts.join("")].sort().join("");

Deno.test("OCTETS says for each octet whether a name and whether a value may hold it", () => {
  assert.equal(OCTETS.length, 256);
  const names = sorted(TOKEN_SIGNS, DIGITS, ALPHABET);
  assert.equal(taken((c) => ((OCTETS[c.charCodeAt(0)] ?? 0) & NAME_OCTET) !== 0), names);
  assert.equal(taken(isFieldName), names);
  for (const octet of EVERY) {
    const allowed = octet === 9 || (octet >= 0x20 && octet !== 0x7f);
    assert.equal(((OCTETS[octet] ?? 0) & VALUE_OCTET) !== 0, allowed, `octet ${octet}`);
    assert.equal(isFieldValue(`a${String.fromCharCode(octet)}b`), allowed, `octet ${octet}`);
    assert((OCTETS[octet] ?? 0) <= 3);
  }
});

Deno.test("isFieldValue() takes no space at either end, and nothing that is no octet", () => {
  for (const value of ["", "a", "a b", "a\tb", "\u00ff"]) assert.equal(isFieldValue(value), true);
  for (const value of [" a", "a ", "\ta", "a\t", " ", "\t", "a\u0100b", "\u0100"]) {
    assert.equal(isFieldValue(value), false, JSON.stringify(value));
  }
  assert.equal(taken((c) => isSpace(c.charCodeAt(0))), "\t ");
});

Deno.test("names, tokens, methods and schemes hold their characters and no other, and one at least", () => {
  const upper = ALPHABET.toUpperCase();
  assert.equal(taken(isToken), sorted(TOKEN_SIGNS, DIGITS, ALPHABET, upper));
  assert.equal(taken(isMethod), taken(isToken));
  assert.equal(taken(isScheme), ALPHABET);
  assert.equal(taken((c) => isScheme(`a${c}`)), sorted(ALPHABET, DIGITS, "+-."));
  for (const accepts of [isToken, isMethod, isScheme, isFieldName, isAuthority, isPath]) {
    assert.equal(accepts(""), false);
  }
});

Deno.test("an authority has no user information, and a path no fragment, space or control", () => {
  const letters = sorted(ALPHABET, ALPHABET.toUpperCase(), DIGITS);
  assert.equal(taken(isAuthority), sorted(letters, "-._~!$&'()*+,;=:%[]"));
  assert.equal(isAuthority("a@b"), false);
  const visible = EVERY.slice(0x21, 0x7f).map((octet) => String.fromCharCode(octet)).join("");
  assert.equal(taken((c) => isPath(`/${c}`)), visible.replace("#", ""));
  assert.deepEqual(["*", "/", "/a?b", "a", "**", "*a", "http://a/"].map(isPath), [
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

Deno.test("parseContentLength() reads up to 15 digits, and is -1 for all else", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["0", 0],
    ["7", 7],
    ["007", 7],
    ["999999999999999", 999_999_999_999_999],
    ["1000000000000000", -1],
    ["", -1],
    ["-1", -1],
    ["+1", -1],
    ["1 ", -1],
    ["1,1", -1],
    ["0x1", -1],
  ];
  for (const [value, length] of cases) assert.equal(parseContentLength(value), length, value);
});

Deno.test("latin1() and writeLatin1() are each other's inverse for every octet and length", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 7 + 3) & 255);
  for (let length = 0; length <= 200; length++) {
    const text = latin1(bytes, 50, 50 + length);
    assert.equal(text.length, length);
    const target = new Uint8Array(210).fill(1);
    assert.equal(writeLatin1(text, target, 5), 5 + length);
    assert.deepEqual(target.subarray(5, 5 + length), bytes.subarray(50, 50 + length));
    assert.deepEqual([target[4], target[5 + length]], [1, 1]);
  }
  assert.equal(latin1(Uint8Array.from(EVERY), 0, 256), taken(() => true));
});

Deno.test("FieldError says by its name and code what it is", () => {
  const error = new FieldError("no");
  assert.deepEqual([error.name, error.code], ["FieldError", "HTTP_INVALID_FIELD"]);
});
