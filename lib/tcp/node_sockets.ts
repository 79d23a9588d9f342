import net, { type Socket } from "node:net";
import { loadBinding } from "./_binding.ts";
import { bind } from "./_listen.ts";
import { Primer } from "./_primer.ts";
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
  readonly #primer = primerOfThread();

  async listen(
    target: ListenTarget,
    onStream: (stream: TcpStream) => void,
  ): Promise<TcpListener> {
    await this.#primer?.ready();
    const options = { allowHalfOpen: true, pauseOnConnect: true };
    const server = net.createServer(
      options,
      (socket) => onStream(new NodeStream(socket, { primer: this.#primer })),
    );
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
      handler.onConnect(new NodeStream(socket, { primer: this.#primer }));
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

/** Nothing where the handles below `node:net` are not what they were. */
function primerOfThread(): Primer | undefined {
  try {
    return new Primer(loadBinding());
  } catch {
    return undefined;
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
