import net from "node:net";
import { errnoName, type Request, type TcpBinding, type TcpHandle } from "./_binding.ts";
import { acceptProblem } from "./_accept_problem.ts";
import { bind } from "./_listen.ts";
import { HandleThread } from "./_handle_thread.ts";
import { HandleStream } from "./handle_stream.ts";
import {
  BACKLOG,
  type DialHandler,
  type Dialling,
  type ListenOptions,
  type ListenTarget,
  type Sockets,
  type TcpListener,
} from "./sockets.ts";
import { StreamError, type TcpStream } from "./stream.ts";

/** {@link Sockets} on the runtime's handles; one for each thread. */
export class HandleSockets implements Sockets {
  readonly kind = "handles";
  readonly #thread: HandleThread;

  constructor(binding: TcpBinding) {
    this.#thread = new HandleThread(binding);
  }

  /** `node:net` binds, since it knows all about addresses; connections are taken below it. */
  async listen(
    target: ListenTarget,
    onStream: (stream: TcpStream) => void,
    { onAcceptFailure = () => {} }: ListenOptions = {},
  ): Promise<TcpListener> {
    await this.#thread.primer.ready();
    const server = net.createServer();
    await bind(server, target);
    const { port } = server.address() as net.AddressInfo;
    const { _handle: listening } = server as unknown as { _handle: TcpHandle };
    listening.onconnection = (status) => {
      const accepted = status === 0 ? this.#accept(listening, onStream) : status;
      if (accepted !== 0) onAcceptFailure(errnoName(accepted));
    };
    return {
      port,
      rearm: () => {
        const problem = acceptProblem(this.#thread.binding);
        if (problem !== undefined) onAcceptFailure(problem);
        listening.listen(BACKLOG);
      },
      close: () => void server.close(),
    };
  }

  /** 0, or why not. */
  #accept(listening: TcpHandle, onStream: (stream: TcpStream) => void): number {
    const handle = this.#thread.binding.create();
    const status = listening.accept(handle);
    if (status === 0) onStream(new HandleStream(this.#thread, handle));
    else handle.close();
    return status;
  }

  connect(address: string, port: number, handler: DialHandler): Dialling {
    return new HandleDialling(this.#thread, { address, port }, handler);
  }
}

class HandleDialling implements Dialling, Request {
  readonly #thread: HandleThread;
  readonly #handle: TcpHandle;
  readonly #handler: DialHandler;
  #over = false;

  constructor(
    thread: HandleThread,
    { address, port }: { readonly address: string; readonly port: number },
    handler: DialHandler,
  ) {
    this.#thread = thread;
    this.#handler = handler;
    const handle = this.#handle = thread.binding.create();
    try {
      const status = address.includes(":")
        ? handle.connect6(this, address, port)
        : handle.connect(this, address, port);
      if (status !== 0) queueMicrotask(() => this.oncomplete(status));
    } catch (error) { // What the permissions do not allow.
      queueMicrotask(() => this.#fail(error as Error));
    }
  }

  oncomplete(status: number): void {
    if (this.#over) return;
    const code = errnoName(status);
    if (status !== 0) return this.#fail(new StreamError(code, connectProblem(code)));
    const { primer } = this.#thread;
    if (primer.settled) return this.#connected();
    // A thread that listens has waited for it before; one that only connects has not.
    primer.ready().then(() => this.#connected()).catch((error) => this.#fail(error));
  }

  #connected(): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler.onConnect(new HandleStream(this.#thread, this.#handle));
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#handle.close();
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.cancel();
    this.#handler.onFailure(error);
  }
}

function connectProblem(code: string): string {
  switch (code) {
    case "ECONNREFUSED":
      return "connection refused";
    case "EMFILE":
    case "ENFILE":
      return "too many open files";
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return `no way to it (${code})`;
    case "ETIMEDOUT":
      return "no answer";
    default:
      return code;
  }
}
