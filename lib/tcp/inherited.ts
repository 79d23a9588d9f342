import { loadBinding, type TcpHandle } from "./_binding.ts";
import type { ListenOptions, ListenTarget, Sockets, TcpListener } from "./sockets.ts";
import type { TcpStream } from "./stream.ts";

/** Where a socket is bound. */
interface Address {
  readonly host: string;
  readonly port: number;
}

/** A listening socket that the service manager made, as one thread may adopt it. */
export interface InheritedSocket extends Address {
  /** A descriptor of its own: closing it leaves the others and the manager's open. */
  readonly fd: number;
}

/** What a handle can do beyond what streams need (Deno 2.9.6). */
interface ListeningHandle extends TcpHandle {
  /** Takes the descriptor over: it is closed with the handle. */
  open(fd: number): number;
  /** Another descriptor of the same socket, by dup(2). */
  fdForIpc(): number;
}

/**
 * Listening sockets from the service manager (sd_listen_fds(3)). Their queues outlive the process, so
 * a restart refuses nobody. All threads accept from the same queue, each through a descriptor of its
 * own: adopting the very same one closes it for all when the first of them ends.
 */
export class InheritedSockets {
  readonly #handles: readonly (Address & { readonly handle: ListeningHandle })[];

  /** @throws {TypeError} if a descriptor is no TCP socket, or this runtime cannot duplicate it. */
  constructor(fds: readonly number[]) {
    const { create } = loadBinding();
    this.#handles = fds.map((fd) => {
      const handle = create() as ListeningHandle;
      if (typeof handle.open !== "function" || typeof handle.fdForIpc !== "function") {
        throw new TypeError("this runtime cannot adopt inherited sockets");
      }
      const name: { address?: string; port?: number } = {};
      if (handle.open(fd) !== 0 || handle.getsockname(name) !== 0 || name.port === undefined) {
        throw new TypeError(`descriptor ${fd} is no listening TCP socket`);
      }
      return { host: name.address ?? "", port: name.port, handle };
    });
  }

  /** Whether one of them is what a listener of this address would bind. */
  has(address: Address): boolean {
    return this.#handles.some((socket) => isSame(socket, address));
  }

  /** The addresses of those that none of the listeners would bind. */
  unusedBy(listeners: readonly Address[]): Address[] {
    return this.#handles
      .filter((socket) => !listeners.some((listener) => isSame(socket, listener)))
      .map(({ host, port }) => ({ host, port }));
  }

  /** A set of them for one more thread. */
  duplicate(): InheritedSocket[] {
    return this.#handles.map(({ host, port, handle }) => ({ host, port, fd: handle.fdForIpc() }));
  }
}

/** {@link Sockets} that adopt what was inherited, each once, instead of binding the same address. */
export function adopting(sockets: Sockets, inherited: readonly InheritedSocket[]): Sockets {
  const left = new Set(inherited);
  return {
    kind: sockets.kind,
    isInherited: (target) => inherited.some((socket) => isSame(socket, target)),
    connect: sockets.connect.bind(sockets),
    listen(
      target: ListenTarget,
      onStream: (stream: TcpStream) => void,
      options?: ListenOptions,
    ): Promise<TcpListener> {
      if ("fd" in target) return sockets.listen(target, onStream, options);
      for (const socket of left) {
        if (!isSame(socket, target)) continue;
        left.delete(socket);
        return sockets.listen({ fd: socket.fd }, onStream, options);
      }
      return sockets.listen(target, onStream, options);
    },
  };
}

/** An empty host is every address, which a manager binds as `::`, or without IPv6 as `0.0.0.0`. */
function isSame(socket: Address, { host, port }: Address): boolean {
  if (socket.port !== port) return false;
  return socket.host === host || host === "" && (socket.host === "::" || socket.host === "0.0.0.0");
}
