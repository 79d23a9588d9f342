import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectSecure } from "node:tls";
import { parseIp } from "../lib/addr/mod.ts";
import { encodeProxyV2 } from "../lib/proxyproto/mod.ts";
import { CONNECTOR_DOMAIN, CONNECTOR_HOST } from "./connector_demo.ts";
import type { DemoPorts } from "./demo.ts";

/** One demo request takes a few milliseconds. */
const STEP_TIMEOUT_MS = 10_000;

/** The proxy's log line of a connection comes after the connection has ended. */
const LOG_TIMEOUT_MS = 5_000;
const LOG_POLL_MS = 20;

/** What a tour needs of a running development server. */
export interface TourContext {
  readonly ports: DemoPorts;
  /** PEM of the authority that signed the sites' certificates. */
  readonly ca: string;
  /** The development server's folder, where the clients' certificates are. */
  readonly folder: string;
  /** The proxy's log so far. */
  readonly lines: readonly string[];
  readonly print: (text: string) => Promise<void>;
}

/** One thing to show: what is done, and what has to come of it. */
export interface TourStep {
  readonly title: string;
  /** Does it; resolves with what a client sees. */
  readonly run: (context: TourContext) => Promise<string>;
  /** What the client must see, or the tour fails. */
  readonly expect: RegExp;
}

/** A step did not show what it should. */
export class TourError extends Error {
  override readonly name = "TourError";
  readonly code = "TOUR";
}

/** An address from the documentation range, in the role of a client far away. */
const CLIENT = "203.0.113.7";

/** The same, and blocked by the demo's configuration. */
const BLOCKED_CLIENT = "203.0.113.9";

/** The tour, in order. */
export const TOUR: readonly TourStep[] = [
  {
    title: "https://one.localhost: the proxy reads the name and relays; TLS ends at the site",
    run: ({ ports, ca }) => get({ port: ports.public, servername: "one.localhost", ca }),
    expect: /^backend: one\.localhost$/m,
  },
  {
    title: "https://any.wild.localhost: a wildcard route",
    run: ({ ports, ca }) => get({ port: ports.public, servername: "any.wild.localhost", ca }),
    expect: /^backend: \*\.wild\.localhost$/m,
  },
  {
    title: "https://two.localhost: the site gets a PROXY v2 header, so it sees the real client",
    run: ({ ports, ca }) => get({ port: ports.public, servername: "two.localhost", ca }),
    expect: /^client: 127\.0\.0\.1 port \d+ \(PROXY v2 header\)$/m,
  },
  {
    title: `Behind another proxy, which says that the client is ${CLIENT}: it reaches the site`,
    run: ({ ports, ca }) =>
      get({ port: ports.proxyProtocol, servername: "two.localhost", ca, client: CLIENT }),
    expect: /^client: 203\.0\.113\.7 port 4711 \(PROXY v2 header\)$/m,
  },
  {
    title: `The same from ${BLOCKED_CLIENT}, which the firewall blocks: a RST, and not one byte`,
    run: ({ ports }) => send(ports.proxyProtocol, proxyHeader(BLOCKED_CLIENT)),
    expect: /^connection reset$/,
  },
  {
    title: "https://web.localhost: TLS ends at the proxy, the site sees who the client is",
    run: ({ ports, ca }) => get({ port: ports.public, servername: "web.localhost", ca }),
    expect: /^x-forwarded-for: 127\.0\.0\.1$/m,
  },
  {
    title: `The same behind another proxy, for ${CLIENT}`,
    run: ({ ports, ca }) =>
      get({ port: ports.proxyProtocol, servername: "web.localhost", ca, client: CLIENT }),
    expect: /^x-forwarded-for: 203\.0\.113\.7$/m,
  },
  {
    title:
      "The connector: alice's certificate says who she is, a database that she may reach host-1",
    run: (context) => greet(context, "alice"),
    expect: /^certificate: alice \(verified by the proxy, TLSv1\.3\)$/m,
  },
  {
    title: "The same for mallory, who is of another organisation: refused",
    run: (context) => greet(context, "mallory"),
    expect: /^closed without a byte$/,
  },
  {
    title: "No PROXY header where one is required: a RST",
    run: ({ ports }) => send(ports.proxyProtocol, "GET / HTTP/1.1\r\n\r\n"),
    expect: /^connection reset$/,
  },
  {
    title: "Plain HTTP to the TLS port: a RST",
    run: ({ ports }) => send(ports.public, "GET / HTTP/1.1\r\n\r\n"),
    expect: /^connection reset$/,
  },
];

/**
 * Takes every step, and prints what the client saw and what the proxy logged about it.
 *
 * @throws {TourError} at the first step that shows something else.
 */
export async function runTour(context: TourContext): Promise<void> {
  for (const [index, { title, run, expect }] of TOUR.entries()) {
    const before = connectionLines(context).length;
    const seen = (await run(context)).trim();
    await context.print(`\n${index + 1}. ${title}\n\n${indent(seen)}\n`);
    if (!expect.test(seen)) throw new TourError(`step ${index + 1} should have shown ${expect}`);
    await context.print(`\n   logged: ${await nextConnectionLine(context, before)}\n`);
  }
}

function connectionLines({ lines }: TourContext): string[] {
  return lines.filter((line) => line.includes(" msg=connection "));
}

async function nextConnectionLine(context: TourContext, before: number): Promise<string> {
  const deadline = performance.now() + LOG_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const line = connectionLines(context)[before];
    if (line !== undefined) return line.replace(/^.* msg=connection /, "");
    await new Promise((resolve) => setTimeout(resolve, LOG_POLL_MS));
  }
  throw new TourError("the proxy logged nothing about this connection");
}

/** The body of a GET over TLS; with `client`, after a PROXY header that names it. */
async function get(request: {
  readonly port: number;
  readonly servername: string;
  readonly ca: string;
  readonly client?: string;
}): Promise<string> {
  const { port, servername, ca, client } = request;
  const socket = await open(port);
  if (client !== undefined) socket.write(proxyHeader(client));
  const secure = connectSecure({ socket, servername, ca, ALPNProtocols: ["http/1.1"] });
  try {
    secure.write(`GET / HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`);
    const answer = await readAll(secure);
    return answer.slice(answer.indexOf("\r\n\r\n") + 4);
  } finally {
    secure.destroy();
    socket.destroy();
  }
}

/** What a host behind the connector says to a client with the certificate of `user`. */
async function greet({ ports, ca, folder }: TourContext, user: string): Promise<string> {
  const [cert, key] = await Promise.all(
    ["pem", "key"].map((kind) => Deno.readTextFile(join(folder, "connector", `${user}.${kind}`))),
  );
  const servername = `${CONNECTOR_HOST}.${CONNECTOR_DOMAIN}`;
  const socket = await open(ports.public);
  const secure = connectSecure({ socket, servername, ca, cert, key });
  try {
    // Deno shows a RST below TLS as an ordinary end.
    return await readAll(secure) || "closed without a byte";
  } finally {
    secure.destroy();
    socket.destroy();
  }
}

/** What comes back for some bytes, or that the connection was reset. */
async function send(port: number, bytes: string | Uint8Array): Promise<string> {
  const socket = await open(port);
  try {
    socket.write(bytes);
    return await readAll(socket) || "closed without a byte";
  } catch (error) {
    if ((error as { code?: string }).code !== "ECONNRESET") throw error;
    return "connection reset";
  } finally {
    socket.destroy();
  }
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  return socket;
}

async function readAll(socket: Socket): Promise<string> {
  socket.setTimeout(STEP_TIMEOUT_MS, () => socket.destroy(new TourError("no answer in time")));
  const chunks: Uint8Array[] = [];
  socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  await once(socket, "end");
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function proxyHeader(client: string): Uint8Array {
  return encodeProxyV2({
    source: { ip: address(client), port: 4711 },
    destination: { ip: address("192.0.2.1"), port: 443 },
  });
}

function address(text: string) {
  const ip = parseIp(text);
  if (!ip.ok) throw new TourError(ip.reason);
  return ip.value;
}

function indent(text: string): string {
  return text.split("\n").map((line) => `   ${line}`).join("\n");
}
