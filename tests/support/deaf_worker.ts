/// <reference lib="deno.worker" />
/**
 * Listens, says its port, and then never turns again: nobody accepts.
 *
 * @module
 */
import { type AddressInfo, createServer } from "node:net";

const server = createServer();
server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
  self.postMessage((server.address() as AddressInfo).port);
  // After the message has gone.
  setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 20);
});
