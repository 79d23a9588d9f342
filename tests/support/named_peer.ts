/**
 * Clients that ask for a name and then speak to an echo backend through the proxy.
 *
 * @module
 */
import assert from "node:assert/strict";
import { connectRaw } from "./clients.ts";
import { withinDeadline } from "./deadline.ts";
import { buildClientHello } from "./hello.ts";
import type { Ending, Peer } from "./peer.ts";

/** A client behind a ClientHello. */
export class NamedPeer implements AsyncDisposable {
  readonly #peer: Peer;
  readonly #hello: Uint8Array;
  #greeted = false;

  constructor(peer: Peer, hello: Uint8Array) {
    this.#peer = peer;
    this.#hello = hello;
  }

  /** Sends a text and expects it back, after the ClientHello the first time. */
  async echo(text: string): Promise<void> {
    await this.#peer.write(text);
    if (!this.#greeted) {
      const echoed = await this.#peer.read(this.#hello.length);
      assert.deepEqual(new Uint8Array(echoed), this.#hello);
    }
    this.#greeted = true;
    assert.equal(await this.#peer.readText(text.length), text);
  }

  /** How the proxy ended the connection. */
  ending(): Promise<Ending> {
    return withinDeadline(this.#peer.ending, "the proxy ends the connection");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#peer[Symbol.asyncDispose]();
  }
}

/** Connects to a listener and asks for a name. */
export async function connectWithName(
  port: number,
  serverName: string,
  localAddress?: string,
): Promise<NamedPeer> {
  const hello = buildClientHello({ serverName });
  const peer = await connectRaw({ port, ...localAddress !== undefined && { localAddress } });
  // Not awaited: on a connection that was reset already the write never ends.
  peer.socket.write(hello);
  return new NamedPeer(peer, hello);
}
