import type { RequestHead, ResponseHead } from "../h2/mod.ts";
import type { HttpProtocol } from "../upstream/mod.ts";
import { fieldValue, filterFields } from "./fields.ts";
import { acceptOf } from "./websocket.ts";

/**
 * What a backend's answer to a tunnel's request means. Over HTTP/1.1 only 101 opens it (RFC 9110
 * §7.8), and another success would look to a client over HTTP/2 as if it had; there 2xx opens it
 * (RFC 8441 §5), and 101 means nothing (RFC 9113 §8.6).
 */
export function tunnelAnswer(
  status: number,
  protocol: HttpProtocol | undefined,
): "opens" | "refuses" | "invalid" {
  const isSuccess = status >= 200 && status < 300;
  if (protocol === "http/1.1") return status === 101 ? "opens" : isSuccess ? "invalid" : "refuses";
  return isSuccess ? "opens" : status === 101 ? "invalid" : "refuses";
}

/**
 * The answer that opens a tunnel, as the client's version has it: 200 over HTTP/2, where there was
 * no key to accept; 101 over HTTP/1.1, with the accepted key.
 */
export function tunnelHead(
  { fields }: ResponseHead,
  version: string,
  request: RequestHead,
): ResponseHead {
  const others = filterFields(fields, (name) => name !== "sec-websocket-accept");
  if (version === "h2") return { status: 200, fields: others, contentLength: -1 };
  const accept = acceptOf(fieldValue(request.fields, "sec-websocket-key") ?? "");
  const accepted = [...others, "sec-websocket-accept", accept];
  return { status: 101, fields: accepted, contentLength: -1 };
}
