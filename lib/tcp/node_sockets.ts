import net, { type Socket } from "node:net";
import { bind } from "./_listen.ts";
import { NodeStream } from "./node_stream.ts";
import {
  BACKLOG,
  type DialHandler,
  type Dialling,
  type ListenTarget,
  type Sockets,
  type TcpListener,
} from "./sockets.ts";
import type { TcpStream } from "./stream.ts";

/** {@link Sockets} on `node:net`: for a runtime whose handles are not what they were. */
export class NodeSockets implements Sockets {
  readonly kind = "node";

  async listen(
    target: ListenTarget,
    onStream: (stream: TcpStream) => void,
  ): Promise<TcpListener> {
    const options = { allowHalfOpen: true, pauseOnConnect: true };
    const server = net.createServer(options, (socket) => onStream(new NodeStream(socket)));
    await bind(server, target);
    const { port } = server.address() as net.AddressInfo;
    server.on("error", () => {}); // Of a connection that could not be accepted; rearm() mends it.
    return { port, rearm: () => rearmAccept(server), close: () => void server.close() };
  }

  connect(address: string, port: number, handler: DialHandler): Dialling {
    const socket = net.connect({ host: address, port, allowHalfOpen: true });
    const settle = () => socket.off("connect", onConnect).off("error", onError);
    const onConnect = () => {
      settle();
      handler.onConnect(new NodeStream(socket));
    };
    const onError = (error: Error) => {
      settle();
      handler.onFailure(error);
    };
    socket.on("error", () => {}); // Stays: an error event without a listener ends the process.
    socket.on("connect", onConnect).on("error", onError);
    return { cancel: () => cancel(socket, settle) };
  }
}

function cancel(socket: Socket, settle: () => void): void {
  if (!socket.connecting) return;
  settle();
  socket.destroy();
}

/** Uses the handle behind the server: `listen()` on the server itself refuses a second call. */
function rearmAccept(server: net.Server): void {
  (server as unknown as { _handle?: { listen?(backlog: number): number } })._handle
    ?.listen?.(BACKLOG);
}
