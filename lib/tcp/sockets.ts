import type { TcpStream } from "./stream.ts";

/** Where to listen: an address of this machine, or a socket that was inherited. */
export type ListenTarget =
  /** `host` may be a name or empty, as for `node:net`; each worker binds the same (SO_REUSEPORT). */
  | { readonly host: string; readonly port: number }
  /** A descriptor that listens already, from the service manager. */
  | { readonly fd: number };

/** What {@link Sockets.listen} may be given beside who takes the connections. */
export interface ListenOptions {
  /** accept(2) has failed, or would now: the name of its `errno`, such as `EMFILE`. */
  readonly onAcceptFailure?: (code: string) => void;
}

/** A listening socket. */
export interface TcpListener {
  readonly port: number;
  /**
   * Accepts again after accept(2) has failed, which ends the runtime's loop without a word (Deno
   * 2.9.6): when descriptors run out. Harmless while it runs. Since nobody is told when it fails, it
   * is tried here whether it would.
   */
  rearm(): void;
  /** Stops accepting; connections that were accepted go on. */
  close(): void;
}

/** An attempt to connect. */
export interface Dialling {
  /** Gives up: no callback is called any more. After the end it does nothing. */
  cancel(): void;
}

/** What is told of an attempt to connect: exactly one of the two, unless it was cancelled. */
export interface DialHandler {
  onConnect(stream: TcpStream): void;
  onFailure(error: Error): void;
}

/** One way to speak TCP. */
export interface Sockets {
  /** Whether the runtime's handles are used, or `node:net`. */
  readonly kind: SocketsKind;
  /** Whether a socket of this address was inherited, which others hold open too; absent: none was. */
  isInherited?(target: { readonly host: string; readonly port: number }): boolean;
  /**
   * Listens, with SO_REUSEPORT unless the socket was inherited.
   *
   * @throws {NodeJS.ErrnoException} if the address cannot be bound.
   */
  listen(
    target: ListenTarget,
    onStream: (stream: TcpStream) => void,
    options?: ListenOptions,
  ): Promise<TcpListener>;
  /** Connects to a literal address. Failures are told later, never from inside this call. */
  connect(address: string, port: number, handler: DialHandler): Dialling;
}

/** The two ways to speak TCP. */
export const SOCKETS_KINDS = ["handles", "node"] as const;

/** One of {@link SOCKETS_KINDS}. */
export type SocketsKind = typeof SOCKETS_KINDS[number];

/** Connections that may wait in the kernel for us to accept them. */
export const BACKLOG = 4096;
