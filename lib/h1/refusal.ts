import { phraseOf, statusLine } from "./phrases.ts";

const ENCODER = new TextEncoder();

/** The whole answer to what never became a request; the connection ends with it. */
export function refusalText(status: number): Uint8Array {
  const body = `${status} ${phraseOf(status)}\n`;
  return ENCODER.encode(
    `${statusLine(status)}content-type: text/plain; charset=utf-8\r\n` +
      `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}
