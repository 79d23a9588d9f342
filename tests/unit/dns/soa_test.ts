import assert from "node:assert/strict";
import {
  isLaterSerial,
  nameFromText,
  nextSerial,
  octetString,
  rdataFromText,
  rdataFromValue,
  rdataKey,
  serialOfSoa,
  soaWithSerial,
  txtOf,
  TYPE,
} from "../../../lib/dns/mod.ts";

const origin = Uint8Array.of(0);

function data(type: number, text: string): Uint8Array {
  const found = rdataFromText(type, text.split(" "), { origin });
  assert(found.ok);
  return found.value;
}

Deno.test("soaWithSerial() changes the serial and nothing else", () => {
  const soa = data(TYPE.SOA, "ns.example. host.example. 4294967295 1 2 3 4");
  assert.equal(serialOfSoa(soa), 4294967295);
  assert.deepEqual(soaWithSerial(soa, 5), data(TYPE.SOA, "ns.example. host.example. 5 1 2 3 4"));
  assert.equal(serialOfSoa(soa), 4294967295);
});

Deno.test("isLaterSerial() goes round (RFC 1982)", () => {
  assert(isLaterSerial(2, 1));
  assert(!isLaterSerial(1, 1));
  assert(!isLaterSerial(1, 2));
  assert(isLaterSerial(0, 0xffff_ffff));
  assert(isLaterSerial(0x7fff_ffff, 0));
  assert(!isLaterSerial(0x8000_0000, 0));
  assert(!isLaterSerial(0x8000_0001, 0));
});

Deno.test("nextSerial() is later, and never 0", () => {
  assert.equal(nextSerial(1), 2);
  assert.equal(nextSerial(0xffff_ffff), 1);
  assert(isLaterSerial(nextSerial(0xffff_ffff), 0xffff_ffff));
});

Deno.test("rdataKey() folds the case of names alone", () => {
  const key = (type: number, text: string) => rdataKey(type, data(type, text));
  assert.equal(key(TYPE.MX, "10 Mail.Example."), key(TYPE.MX, "10 mail.example."));
  assert.notEqual(key(TYPE.MX, "10 mail.example."), key(TYPE.MX, "20 mail.example."));
  assert.notEqual(key(TYPE.TXT, "ABC"), key(TYPE.TXT, "abc"));
  assert.notEqual(key(TYPE.NAPTR, "1 1 U E R x.A."), key(TYPE.NAPTR, "1 1 u E R x.A."));
  assert.equal(key(TYPE.NAPTR, "1 1 U E R x.A."), key(TYPE.NAPTR, "1 1 U E R x.a."));
  assert.equal(rdataKey(65280, Uint8Array.of(0x41)), "A");
});

Deno.test("rdataFromValue() reads one value, and nothing that could be more", () => {
  const example = nameFromText("example.net.");
  assert(example.ok);
  const read = (type: number, text: string) =>
    rdataFromValue(type, text, { origin: example.value });
  assert.deepEqual(read(TYPE.MX, "10 mail"), {
    ok: true,
    value: data(TYPE.MX, "10 mail.example.net."),
  });
  for (
    const text of ["", "  ", "; x", "192.0.2.1\nb A 192.0.2.2", "192.0.2.1 192.0.2.2", "(", '"']
  ) {
    assert.equal(read(TYPE.A, text).ok, false, text);
  }
});

Deno.test("txtOf() cuts a text into strings of 255 octets", () => {
  const lengths = (count: number) => {
    const found = txtOf(new Uint8Array(count).fill(65));
    assert(found.ok);
    const read: number[] = [];
    for (let at = 0; at < found.value.length; at += 1 + (found.value[at] as number)) {
      read.push(found.value[at] as number);
    }
    return read;
  };
  assert.deepEqual(lengths(0), [0]);
  assert.deepEqual(lengths(255), [255]);
  assert.deepEqual(lengths(256), [255, 1]);
  const most = 65535 - 256;
  assert.equal(txtOf(new Uint8Array(most)).ok, true);
  assert.equal(txtOf(new Uint8Array(most + 1)).ok, false);
  assert.equal(octetString(new Uint8Array()), "");
});
