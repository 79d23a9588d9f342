/**
 * The runtime's TCP handles, which lie below `node:net`. They are internals: everything this file
 * claims of them is checked at start by `contract.ts`, and nothing else of the program knows them.
 * Learned from the sources of Deno 2.9 (ext/node/ops/stream_wrap.rs, libs/core/uv_compat).
 *
 * @module
 */
import process from "node:process";

/** The address that a handle is asked to fill in. */
export interface NameOut {
  address?: string;
  port?: number;
}

/** What is told when a request ends: 0, or a negative `errno`. */
export interface Request {
  oncomplete: (this: Request, status: number) => void;
}

/** A connection or a listening socket below `node:net`. Numbers returned are 0 or a negative errno. */
export interface TcpHandle {
  /** Called with the count in `state[READ]`; taken when `readStart()` is called, not later. */
  onread: (this: TcpHandle, buffer?: ArrayBuffer) => void;
  onconnection?: (this: TcpHandle, status: number) => void;
  /** Ours. */
  owner?: unknown;
  readStart(): number;
  readStop(): number;
  /** Reads go there; with an empty one each gets memory of its own again. */
  useUserBuffer(buffer: Uint8Array): void;
  writeBuffer(request: Request, bytes: Uint8Array): number;
  shutdown(request: Request): number;
  /** Closes the connection with a RST; the handle itself still has to be closed. */
  reset(): number;
  close(done?: () => void): void;
  accept(connection: TcpHandle): number;
  listen(backlog: number): number;
  bind(address: string, port: number): number;
  bind6(address: string, port: number, flags: number): number;
  connect(request: Request, address: string, port: number): number;
  connect6(request: Request, address: string, port: number): number;
  getpeername(out: NameOut): number;
  getsockname(out: NameOut): number;
  setNoDelay(on: boolean): number;
}

/** The pieces of the runtime that handles are made of. */
export interface TcpBinding {
  readonly create: () => TcpHandle;
  /** Results of the last call, shared with the runtime. */
  readonly state: Int32Array;
  /** Where in it a read's count or error is. */
  readonly READ: number;
  /** Where it says whether a write was not taken at once. */
  readonly QUEUED: number;
}

/** What a read's count is at the end of a stream. */
export const EOF = -4095;

/** `errno` names of what connections meet; others are told as `E` and their number. */
const ERRNO: Readonly<Record<number, string>> = {
  [-4]: "EINTR",
  [-12]: "ENOMEM",
  [-13]: "EACCES",
  [-22]: "EINVAL",
  [-23]: "ENFILE",
  [-24]: "EMFILE",
  [-32]: "EPIPE",
  [-97]: "EAFNOSUPPORT",
  [-99]: "EADDRNOTAVAIL",
  [-100]: "ENETDOWN",
  [-101]: "ENETUNREACH",
  [-103]: "ECONNABORTED",
  [-104]: "ECONNRESET",
  [-105]: "ENOBUFS",
  [-107]: "ENOTCONN",
  [-110]: "ETIMEDOUT",
  [-111]: "ECONNREFUSED",
  [-112]: "EHOSTDOWN",
  [-113]: "EHOSTUNREACH",
  [-125]: "ECANCELED",
};

/** The name of a negative errno. */
export function errnoName(status: number): string {
  return ERRNO[status] ?? `E${-status}`;
}

interface BindingSource {
  binding(name: string): Record<string, unknown>;
}

/**
 * Fetches the pieces, and looks at each.
 *
 * @throws {TypeError} if one is not what this runtime's version is known to have.
 */
export function loadBinding(
  source: BindingSource = process as unknown as BindingSource,
): TcpBinding {
  const tcp = source.binding("tcp_wrap");
  const streams = source.binding("stream_wrap");
  const TCP = tcp["TCP"];
  const constants = tcp["constants"] as Record<string, unknown> | undefined;
  const state = streams["streamBaseState"];
  const READ = streams["kReadBytesOrError"];
  const QUEUED = streams["kLastWriteWasAsync"];
  const kind = constants?.["SOCKET"];
  if (typeof TCP !== "function") throw new TypeError("tcp_wrap has no TCP");
  if (!(state instanceof Int32Array)) throw new TypeError("stream_wrap has no streamBaseState");
  if (typeof kind !== "number" || typeof READ !== "number" || typeof QUEUED !== "number") {
    throw new TypeError("a constant of tcp_wrap or stream_wrap is missing");
  }
  const Handle = TCP as new (kind: number) => TcpHandle;
  return { create: () => new Handle(kind), state, READ, QUEUED };
}
