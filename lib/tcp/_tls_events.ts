import type { Request, TcpHandle } from "./_binding.ts";
import type { TlsHandle } from "./_tls_binding.ts";
import { StreamError } from "./stream.ts";

/** What the runtime tells a stream with TLS. */
export interface TlsEvents {
  /** A read of the network has ended. */
  received(): void;
  /** Octets of the other side, or its end. */
  decrypted(): void;
  /** The handshake is done. */
  established(): void;
  /** No more can be read: TLS was broken, or the connection is. */
  lost(error: StreamError): void;
  /** The last of its writes has gone out, or never will. */
  written(status: number): void;
  /** Its owner threw. */
  failed(error: unknown): void;
}

/** All writes of one stream; told when the last has gone out. */
export class TlsWrites implements Request {
  readonly oncomplete: (status: number) => void = onWritten;
  readonly stream: TlsEvents;

  constructor(stream: TlsEvents) {
    this.stream = stream;
  }
}

function onWritten(this: TlsWrites, status: number): void {
  guard(this.stream, () => this.stream.written(status));
}

/** Octets from the network. */
function onCipher(this: TcpHandle): void {
  const stream = this.owner as TlsEvents | undefined;
  if (stream !== undefined) guard(stream, () => stream.received());
}

/** Octets from the other side. */
function onPlain(this: TlsHandle): void {
  const stream = this.owner as TlsEvents | undefined;
  if (stream !== undefined) guard(stream, () => stream.decrypted());
}

function onHandshakeDone(this: TlsHandle): void {
  const stream = this.owner as TlsEvents | undefined;
  if (stream !== undefined) guard(stream, () => stream.established());
}

function onTlsError(this: TlsHandle, { code = "ETLS", message }: Error & { code?: string }): void {
  const stream = this.owner as TlsEvents | undefined;
  if (stream !== undefined) guard(stream, () => stream.lost(new StreamError(code, message)));
}

/** What an owner throws would end the thread here: his connection is cut instead. */
function guard(stream: TlsEvents, work: () => void): void {
  try {
    work();
  } catch (error) {
    stream.failed(error);
  }
}

/** Has the handles tell `stream`. */
export function listen(stream: TlsEvents, tcp: TcpHandle, tls: TlsHandle): void {
  tcp.owner = tls.owner = stream;
  tcp.onread = onCipher;
  tls.onread = onPlain;
  tls.onhandshakedone = onHandshakeDone;
  tls.onerror = onTlsError;
}
