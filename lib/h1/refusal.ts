import { phraseOf, statusLine } from "./phrases.ts";
import type { RefusalPage } from "./types.ts";

const ENCODER = new TextEncoder();

/**
 * The whole answer to what never became a request; the connection ends with it. 414 and 501 could be
 * kept by caches (RFC 9110 §15.1), and are about one moment.
 *
 * @param options `isHead`: so much of it was read, and its answer has no content.
 */
export function refusal(
  status: number,
  { page = plainPage(status), isHead }: {
    readonly page?: RefusalPage | undefined;
    readonly isHead: boolean;
  },
): Uint8Array[] {
  const { contentType, body } = page;
  const head = ENCODER.encode(
    `${statusLine(status)}content-type: ${contentType}\r\ncontent-length: ${body.length}\r\n` +
      "cache-control: no-store\r\nconnection: close\r\n\r\n",
  );
  return isHead || body.length === 0 ? [head] : [head, body];
}

function plainPage(status: number): RefusalPage {
  const body = ENCODER.encode(`${status} ${phraseOf(status)}\n`);
  return { contentType: "text/plain; charset=utf-8", body };
}
