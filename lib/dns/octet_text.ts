import { failure, type Result, success } from "../addr/mod.ts";

const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/**
 * The octets of a text in which `\DDD` and `\x` stand for what they hide (RFC 1035 §5.1). Characters
 * are octets; who has other text encodes it before.
 */
export function octetsFromText(text: string): Result<Uint8Array> {
  const octets: number[] = [];
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code === BACKSLASH) {
      const digits = /^[0-9]{3}/.exec(text.slice(i + 1, i + 4))?.[0];
      code = digits === undefined ? text.charCodeAt(i + 1) : Number(digits);
      i += digits === undefined ? 1 : 3;
    }
    if (!(code >= 0 && code <= 255)) return failure("a character is not an octet");
    octets.push(code);
  }
  return success(Uint8Array.from(octets));
}

/** The text of octets, in quotation marks; what could be misread is written `\DDD`. */
export function quotedText(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) {
    if (octet === QUOTE || octet === BACKSLASH) text += `\\${String.fromCharCode(octet)}`;
    else if (octet < 0x20 || octet > 0x7e) text += `\\${String(octet).padStart(3, "0")}`;
    else text += String.fromCharCode(octet);
  }
  return `"${text}"`;
}

/** Octets as hexadecimal digits in upper case, as RFC 3597 and others write them. */
export function hexText(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("").toUpperCase();
}

/** The octets that hexadecimal digits say. */
export function octetsFromHex(text: string): Result<Uint8Array> {
  if (text.length % 2 !== 0 || !/^[0-9A-Fa-f]*$/.test(text)) {
    return failure("not pairs of hexadecimal digits");
  }
  return success(Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16)));
}

/** The octets that base64 says (RFC 4648 §4), with its padding. */
export function octetsFromBase64(text: string): Result<Uint8Array> {
  if (text.length % 4 !== 0 || !/^[0-9A-Za-z+/]*={0,2}$/.test(text)) return failure("not base64");
  try {
    return success(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
  } catch {
    return failure("not base64");
  }
}

/** Octets as base64. */
export function base64Text(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += String.fromCharCode(octet);
  return btoa(text);
}
