import {
  failure,
  formatIp,
  ipFromBytes,
  ipToBytes,
  parseIp,
  type Result,
  success,
} from "../addr/mod.ts";
import { concat, joined, u16, u32 } from "../wire/mod.ts";
import { type Name, nameFromZoneText, nameToText } from "./name.ts";
import {
  base64Text,
  hexText,
  octetsFromBase64,
  octetsFromHex,
  octetsFromText,
  quotedText,
} from "./octet_text.ts";
import { isRdata, partsOf, type Rdata } from "./rdata.ts";
import { layoutOf, type RdataPart } from "./rdata_layout.ts";
import { typeFromText, typeToText } from "./record_types.ts";
import { serviceParamsFromText, serviceParamsText } from "./service_param_text.ts";
import { decodeTypeBits, encodeTypeBits } from "./type_bits.ts";
import { numberFromText, timeFromText, timeText, ttlFromText } from "./zone_units.ts";

const MAX_STRING = 255;
const V4_MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/**
 * The data that words of a zone file say.
 *
 * @param words as they are written, without their quotation marks, escapes kept.
 * @param origin of names that do not end in a dot.
 */
export function rdataFromText(
  type: number,
  words: readonly string[],
  { origin }: { readonly origin: Name },
): Result<Rdata> {
  if (words[0] === "\\#") return unknownFromText(type, words);
  const layout = layoutOf(type);
  if (layout === undefined) return failure(`data of ${typeToText(type)} is written \\# LENGTH HEX`);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const part of layout) {
    const own = isLast(part) ? words.slice(at) : words.slice(at, at + 1);
    at += own.length;
    const octets = partFromText(part, own, origin);
    if (!octets.ok) return octets;
    parts.push(octets.value);
  }
  if (at < words.length) return failure("there is more than the type has");
  const data = joined(parts);
  return data.length <= 0xffff ? success(data) : failure("over 65535 octets");
}

/** The text of valid data, in one line. */
export function rdataToText(type: number, data: Rdata): string {
  if (layoutOf(type) === undefined) {
    return `\\# ${data.length}${data.length > 0 ? ` ${hexText(data)}` : ""}`;
  }
  const words = partsOf(type, data).map(({ part, start, end }) => {
    return partText(part, data.subarray(start, end));
  });
  return words.filter((word) => word !== "").join(" ");
}

/** RFC 3597 §5: of types without a name here, and of any other. */
function unknownFromText(type: number, [, size = "", ...hex]: readonly string[]): Result<Rdata> {
  const length = numberFromText(size, 0xffff);
  if (!length.ok) return failure(`the length is ${length.reason}`);
  const data = octetsFromHex(hex.join(""));
  if (!data.ok) return data;
  if (data.value.length !== length.value) {
    return failure(`there are ${data.value.length} octets instead of ${length.value}`);
  }
  return isRdata(type, data.value) ? data : failure(`not data of ${typeToText(type)}`);
}

function isLast(part: RdataPart): boolean {
  return ["strings", "hex", "base64", "types", "params"].includes(part);
}

function partFromText(part: RdataPart, words: readonly string[], origin: Name): Result<Uint8Array> {
  if (part === "params") return serviceParamsFromText(words);
  if (part === "types") return typesFromText(words);
  const [word] = words;
  if (word === undefined) return failure(`${WANTED[part] ?? part} is missing`);
  switch (part) {
    case "name":
      return nameFromZoneText(word, origin);
    case "ipv4":
    case "ipv6":
      return addressFromText(word, part);
    case "string":
    case "tag":
      return stringFromText(word, part);
    case "strings":
      return stringsFromText(words);
    case "text":
      return octetsFromText(word);
    case "hex":
      return octetsFromHex(words.join(""));
    case "base64":
      return octetsFromBase64(words.join(""));
    default:
      return integerFromText(part, word);
  }
}

const WANTED: Partial<Record<RdataPart, string>> = {
  u8: "a number",
  u16: "a number",
  u32: "a number",
  ttl: "a time in seconds",
  ipv4: "an IPv4 address",
  ipv6: "an IPv6 address",
  name: "a name",
  string: "a text",
  strings: "a text",
  text: "a text",
};

function integerFromText(part: RdataPart, word: string): Result<Uint8Array> {
  switch (part) {
    case "u8":
      return mapped(numberFromText(word, 0xff), (value) => Uint8Array.of(value));
    case "u16":
      return mapped(numberFromText(word, 0xffff), u16);
    case "type":
      return mapped(typeFromText(word), u16);
    case "ttl":
      return mapped(ttlFromText(word, 0xffffffff), u32);
    case "time":
      return mapped(timeFromText(word), u32);
    default:
      return mapped(numberFromText(word, 0xffffffff), u32);
  }
}

function addressFromText(word: string, part: "ipv4" | "ipv6"): Result<Uint8Array> {
  const ip = parseIp(word);
  const reason = `not an ${part === "ipv4" ? "IPv4" : "IPv6"} address`;
  if (!ip.ok || word.includes(":") !== (part === "ipv6")) return failure(reason);
  const octets = ipToBytes(ip.value);
  return success(part === "ipv6" && octets.length === 4 ? concat(V4_MAPPED, octets) : octets);
}

function stringFromText(word: string, part: "string" | "tag"): Result<Uint8Array> {
  const octets = octetsFromText(word);
  if (!octets.ok) return octets;
  if (octets.value.length > MAX_STRING) return failure(`a text is over ${MAX_STRING} octets`);
  if (part === "tag" && !/^[0-9A-Za-z]+$/.test(word)) {
    return failure("a tag has letters and digits");
  }
  return success(concat(Uint8Array.of(octets.value.length), octets.value));
}

function stringsFromText(words: readonly string[]): Result<Uint8Array> {
  const strings: Uint8Array[] = [];
  for (const word of words) {
    const string = stringFromText(word, "string");
    if (!string.ok) return string;
    strings.push(string.value);
  }
  return success(joined(strings));
}

function typesFromText(words: readonly string[]): Result<Uint8Array> {
  const types: number[] = [];
  for (const word of words) {
    const type = typeFromText(word);
    if (!type.ok) return type;
    types.push(type.value);
  }
  return success(encodeTypeBits(types));
}

function partText(part: RdataPart, octets: Uint8Array): string {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  switch (part) {
    case "u8":
      return String(view.getUint8(0));
    case "u16":
      return String(view.getUint16(0));
    case "type":
      return typeToText(view.getUint16(0));
    case "u32":
    case "ttl":
      return String(view.getUint32(0));
    case "time":
      return timeText(view.getUint32(0));
    case "ipv4":
    case "ipv6":
      return addressText(octets);
    case "name":
      return nameToText(octets);
    case "string":
      return quotedText(octets.subarray(1));
    case "tag":
      return String.fromCharCode(...octets.subarray(1));
    case "strings":
      return stringsText(octets);
    case "text":
      return quotedText(octets);
    case "hex":
      return hexText(octets);
    case "base64":
      return base64Text(octets);
    case "types":
      return decodeTypeBits(octets).map(typeToText).join(" ");
    case "params":
      return serviceParamsText(octets).join(" ");
  }
}

/** An IPv6 address that holds one of IPv4 stays one of IPv6. */
function addressText(octets: Uint8Array): string {
  const text = formatIp(ipFromBytes(octets));
  return octets.length === 16 && !text.includes(":") ? `::ffff:${text}` : text;
}

function stringsText(octets: Uint8Array): string {
  const texts: string[] = [];
  for (let at = 0; at < octets.length; at += 1 + (octets[at] as number)) {
    texts.push(quotedText(octets.subarray(at + 1, at + 1 + (octets[at] as number))));
  }
  return texts.join(" ");
}

function mapped<T>(result: Result<T>, encode: (value: T) => Uint8Array): Result<Uint8Array> {
  return result.ok ? success(encode(result.value)) : result;
}
