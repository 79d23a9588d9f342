/**
 * A ClientHello of the runtime's own TLS client: one that a server answers, unlike those of
 * `hello.ts`, which are made for parsers.
 *
 * @module
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { connect } from "node:tls";
import { withinDeadline } from "./deadline.ts";

/** Records what a client says first when it asks for this name. */
export async function recordClientHello(servername: string): Promise<Uint8Array> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: "127.0.0.1", servername });
  client.on("error", () => {});
  const [socket] = await withinDeadline(accepted, "the client connects");
  socket.on("error", () => {});
  const [hello] = await withinDeadline(once(socket, "data"), "the client speaks") as [Uint8Array];
  client.destroy();
  socket.destroy();
  server.close();
  await once(server, "close");
  return new Uint8Array(hello);
}
