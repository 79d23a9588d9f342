import assert from "node:assert/strict";
import { isRdata, rdataFromValue, rdataToText, TYPE } from "../../../lib/dns/mod.ts";
import { canonicalData } from "../../../lib/dnssec/canonical.ts";
import { octetString } from "../../../lib/dns/mod.ts";

const ORIGIN = Uint8Array.of(1, 0x7a, 0);

/** As BIND 9.18 writes them, and its octets. */
const KNOWN = [
  ["RP", "Host.z. text.z.", "04486f7374017a00" + "0474657874017a00"],
  ["AFSDB", "1 Cell.z.", "0001" + "0443656c6c017a00"],
  ["KX", "10 Kx.z.", "000a" + "024b78017a00"],
  ["DHCID", "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=", ""],
  ["SMIMEA", "3 1 1 00ff", "03010100ff"],
  ["OPENPGPKEY", "mQ==", "99"],
  ["CSYNC", "66 3 A NS AAAA", "00000042" + "0003" + "0004" + "60000008"],
  ["ZONEMD", "2018031500 1 1 00ff", "7848b78c" + "01" + "01" + "00ff"],
  ["SPF", '"v=spf1 -all"', "0b763d73706631202d616c6c"],
  ["URI", '10 1 "https://a.example/"', "000a0001" + "68747470733a2f2f612e6578616d706c652f"],
] as const;

for (const [name, text, hex] of KNOWN) {
  Deno.test(`${name} has its text and its octets, and not one less`, () => {
    const type = TYPE[name];
    const read = rdataFromValue(type, text, { origin: ORIGIN });
    assert.ok(read.ok, JSON.stringify(read));
    if (hex !== "") assert.equal(read.value.toHex(), hex);
    const again = rdataFromValue(type, rdataToText(type, read.value), { origin: ORIGIN });
    assert.deepEqual(again, read);
    assert.ok(isRdata(type, read.value));
    assert.equal(isRdata(type, new Uint8Array()), false);
    for (const bad of ["", `${text} x.`]) {
      assert.equal(rdataFromValue(type, bad, { origin: ORIGIN }).ok, name === "SPF" && bad !== "");
    }
  });
}

Deno.test("names of RP, AFSDB and KX are signed in lower case (RFC 4034 §6.2)", () => {
  for (const name of ["RP", "AFSDB", "KX"] as const) {
    const [, text = ""] = KNOWN.find(([other]) => other === name) ?? [];
    const data = (value: string) => {
      const read = rdataFromValue(TYPE[name], value, { origin: ORIGIN });
      assert.ok(read.ok);
      return octetString(read.value);
    };
    assert.deepEqual(canonicalData(TYPE[name], [data(text)]), [data(text.toLowerCase())]);
  }
});
