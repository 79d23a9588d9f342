import { failure, type Result, success } from "../addr/mod.ts";
import type { Name } from "./name.ts";
import type { Rdata } from "./rdata.ts";
import { rdataFromText } from "./rdata_text.ts";
import { ZoneLines } from "./zone_lines.ts";

/**
 * The data that one value of a zone file says, such as `10 mail` of an MX record: what stands after
 * the type, in one line. Nothing of it can become another record.
 *
 * @param text one character for each octet.
 */
export function rdataFromValue(
  type: number,
  text: string,
  { origin }: { readonly origin: Name },
): Result<Rdata> {
  if (/[\n\r]/.test(text)) return failure("it has a line break");
  const lines = new ZoneLines(text);
  const line = lines.next();
  if (lines.problem !== undefined) return failure(lines.problem.message);
  const words = line?.words.map((word) => word.text) ?? [];
  return words.length === 0 ? failure("it is empty") : rdataFromText(type, words, { origin });
}

/** Octets of one text of TXT data (RFC 1035 §3.3). */
const MAX_STRING = 255;

/** The data of a TXT record that says one text, in as many strings as it takes. */
export function txtOf(octets: Uint8Array): Result<Rdata> {
  const strings = Math.max(1, Math.ceil(octets.length / MAX_STRING));
  if (octets.length + strings > 0xffff) return failure("over 65535 octets");
  const data = new Uint8Array(octets.length + strings);
  for (let i = 0; i < strings; i++) {
    const own = octets.subarray(i * MAX_STRING, (i + 1) * MAX_STRING);
    data[i * (MAX_STRING + 1)] = own.length;
    data.set(own, i * (MAX_STRING + 1) + 1);
  }
  return success(data);
}
