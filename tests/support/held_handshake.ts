/**
 * A relay that lets a client's first octets through and holds back what follows them, as a slow
 * network does in the middle of a handshake.
 *
 * @module
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** See the module. */
export interface HeldHandshake extends AsyncDisposable {
  /** Where clients connect instead. */
  readonly port: number;
  /** Something is held back: the server has answered the first octets. */
  readonly held: Promise<void>;
  /** Lets everything through. */
  release(): void;
}

/** Starts one before `port`. */
export async function holdHandshake(port: number): Promise<HeldHandshake> {
  const held = Promise.withResolvers<void>();
  const waiting: Uint8Array[] = [];
  const sockets: Socket[] = [];
  let answered = false;
  let released = false;
  let server: Socket | undefined;
  const relay = createServer((client) => {
    server = connect(port, "127.0.0.1");
    sockets.push(client, server);
    for (const socket of [client, server]) socket.on("error", () => {});
    server.on("data", (bytes: Uint8Array) => {
      answered = true;
      client.write(bytes);
    });
    client.on("data", (bytes: Uint8Array) => {
      if (!answered || released) return void server?.write(bytes);
      waiting.push(bytes);
      held.resolve();
    });
    client.on("end", () => server?.end());
    server.on("close", () => client.destroy());
    client.on("close", () => server?.destroy());
  });
  const listening = Promise.withResolvers<void>();
  relay.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  return {
    port: (relay.address() as AddressInfo).port,
    held: held.promise,
    release() {
      released = true;
      for (const bytes of waiting.splice(0)) server?.write(bytes);
    },
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      relay.close(() => closed.resolve());
      for (const socket of sockets) socket.destroy();
      await closed.promise;
    },
  };
}
