/**
 * A proxy behind a load balancer, so that a test can be any client it likes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type AdminFixture, type AdminFixtureOptions, startAdmin } from "./admin.ts";
import { connectRaw } from "./clients.ts";
import { buildClientHello } from "./hello.ts";
import { runCtl } from "./mcproxyctl.ts";
import type { Peer } from "./peer.ts";
import { unusedPort } from "./ports.ts";
import { proxyV1 } from "./proxy_header.ts";

/** {@link startAdmin}, with a second listener that takes PROXY headers. */
export interface BehindBalancer extends AsyncDisposable {
  readonly admin: AdminFixture;
  /** The address of the listener. */
  readonly addr: string;
  /** Connects as a client, with some octets after the header. */
  connect(client: string, octets: Uint8Array): Promise<Peer>;
  /** What becomes of somebody who asks for a name, or speaks no TLS at all. */
  visit(client: string, name?: string): Promise<"served" | "reset">;
  /** Runs mcproxyctl, which has to succeed; what it prints. */
  ctl(...args: readonly string[]): Promise<string>;
}

/** Starts it. */
export async function startBehindBalancer(
  options: AdminFixtureOptions = {},
): Promise<BehindBalancer> {
  const admin = await startAdmin(options);
  const port = await unusedPort();
  const addr = `127.0.0.1:${port}`;
  await admin.client.addListener({ addr, proxyProtocol: true });
  const connect = async (client: string, octets: Uint8Array) => {
    const peer = await connectRaw({ port });
    const destination = client.includes(":") ? "2001:db8::1" : "192.0.2.1";
    peer.socket.write(proxyV1(client, destination));
    peer.socket.write(octets);
    return peer;
  };
  const visit = async (client: string, name?: string) => {
    const octets = name === undefined
      ? new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")
      : buildClientHello({ serverName: name });
    await using peer = await connect(client, octets);
    // Whoever is served hears their own octets from the backend, and says goodbye.
    const heard = peer.read(1).then(() => "served" as const, () => "reset" as const);
    const how = await heard;
    if (how === "served") {
      peer.socket.end();
      await peer.ending;
    }
    return how;
  };
  const ctl = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await runCtl(admin, args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  return {
    admin,
    addr,
    connect,
    visit,
    ctl,
    [Symbol.asyncDispose]: () => admin[Symbol.asyncDispose](),
  };
}
