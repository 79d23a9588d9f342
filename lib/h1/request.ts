import { isAuthority, type RequestHead } from "../http/mod.ts";
import type { Framing } from "./body_reader.ts";
import type { FieldLines } from "./field_lines.ts";
import type { BadLine, RequestLine, Version } from "./start_line.ts";

/** The only protocol that connections may be switched to: others would leave the rules behind. */
const WEBSOCKET = "websocket";

/** A request as a server session handles it. */
export interface Request {
  readonly head: RequestHead;
  readonly version: Version;
  /** The client lets the connection go on after this request. */
  readonly keepAlive: boolean;
  /** Absent: no content. */
  readonly framing: Framing | undefined;
  /** The method on the wire was HEAD: the response has no content. */
  readonly isHead: boolean;
}

/** Makes a request of a head that was read, or the answer that refuses it. */
export function assembleRequest(
  line: RequestLine,
  lines: FieldLines,
  { ignoresUpgrade = false }: { readonly ignoresUpgrade?: boolean } = {},
): Request | BadLine {
  const { version } = line;
  // RFC 9112 §3.2: exactly one in HTTP/1.1, even if the target names the host.
  if (lines.host === undefined && version === "1.1") return refuse(400, "no Host field");
  if (lines.host !== undefined && lines.host !== "" && !isAuthority(lines.host)) {
    return refuse(400, "an invalid Host field");
  }
  // RFC 9112 §3.2: it has to be that of the target, and neither nginx nor HAProxy passes this on.
  if (lines.host === "" && line.authority !== "") {
    return refuse(400, "an empty Host beside a target that names one");
  }
  const framing = framingOf(version, lines);
  if (framing !== undefined && "refuse" in framing) return framing;
  const isUpgrade = !ignoresUpgrade && lines.connectionUpgrade && lines.upgrade.length > 0 &&
    version === "1.1";
  const fields = lines.finish();
  const head: RequestHead = {
    method: line.method,
    scheme: line.method === "CONNECT" ? "" : "https",
    authority: line.authority === "" ? lines.host ?? "" : line.authority,
    path: line.path,
    protocol: "",
    fields,
    contentLength: lines.contentLength,
  };
  // What follows a CONNECT or a refused upgrade may be another protocol's.
  const keepAlive = version === "1.1" ? !lines.close : lines.keepAlive && !lines.close;
  const rest = { version, framing, isHead: line.method === "HEAD" };
  if (!isUpgrade) return { ...rest, head, keepAlive: keepAlive && line.method !== "CONNECT" };
  const refusal = checkUpgrade(line.method, lines, framing);
  if (refusal !== undefined) return refusal;
  return {
    ...rest,
    head: { ...head, method: "CONNECT", protocol: WEBSOCKET },
    keepAlive: false,
    framing: undefined,
  };
}

/** RFC 9112 §6: every way in which two hops could see two ends of one request is refused. */
function framingOf(version: Version, lines: FieldLines): Framing | BadLine | undefined {
  const { contentLength, coding, announced } = lines;
  if (coding !== "none") {
    if (contentLength >= 0) return refuse(400, "Content-Length with Transfer-Encoding");
    if (version === "1.0") return refuse(400, "Transfer-Encoding in HTTP/1.0");
    if (coding === "unknown") return refuse(501, "an unknown transfer coding");
    return { kind: "chunked", announced };
  }
  return contentLength > 0 ? { kind: "length", octets: contentLength } : undefined;
}

/**
 * RFC 6455 §4.1. `h2c` and its like would let requests past every rule here (CVE-2026-88008), and
 * a request with content could hide another in it (CVE-2026-58055).
 */
function checkUpgrade(
  method: string,
  lines: FieldLines,
  framing: Framing | undefined,
): BadLine | undefined {
  if (lines.upgrade.length !== 1 || lines.upgrade[0] !== WEBSOCKET) {
    return refuse(501, "an upgrade to another protocol than WebSocket");
  }
  if (method !== "GET" || framing !== undefined) return refuse(400, "an upgrade with content");
  let keys = 0;
  for (let i = 0; i < lines.fields.length; i += 2) {
    if (lines.fields[i] === "sec-websocket-key") keys++;
  }
  return keys === 1 ? undefined : refuse(400, "a WebSocket handshake without one key");
}

function refuse(status: number, reason: string): BadLine {
  return { refuse: status, reason };
}
