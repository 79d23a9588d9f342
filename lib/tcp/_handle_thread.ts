import type { Request, TcpBinding, TcpHandle } from "./_binding.ts";
import { Primer } from "./_primer.ts";
import { ReadBuffers } from "./_read_buffers.ts";
import { type CreateTlsHandle, loadTlsBinding } from "./_tls_binding.ts";
import { WriteBuffers } from "./_write_buffers.ts";

/** One read of the network for TLS. */
const CIPHER_OCTETS = 64 * 1024;
/** What it may say: as much, and a record whose beginning came before. */
const PLAIN_OCTETS = CIPHER_OCTETS + 32 * 1024;

/** What all streams of a thread share. */
export class HandleThread {
  readonly binding: TcpBinding;
  readonly buffers = new ReadBuffers();
  readonly copies = new WriteBuffers();
  readonly primer: Primer;
  /** For the next write; one that is queued keeps it. */
  request: WriteRequest = new WriteRequest();
  #tls: TlsThread | undefined;

  constructor(binding: TcpBinding) {
    this.binding = binding;
    this.primer = new Primer(binding);
  }

  /**
   * What its streams with TLS share.
   *
   * @throws {TypeError} if the runtime has no such handles.
   */
  get tls(): TlsThread {
    return this.#tls ??= new TlsThread(loadTlsBinding());
  }
}

/** What all streams of a thread share whose TLS ends here. */
class TlsThread {
  /** Where they read to from the network, and where what that says is decrypted to. */
  readonly cipher = new Uint8Array(CIPHER_OCTETS);
  readonly plain = new Uint8Array(PLAIN_OCTETS);
  readonly create: CreateTlsHandle;

  constructor(create: CreateTlsHandle) {
    this.create = create;
  }
}

/** Whoever is told of his writes. */
interface Writer {
  written(request: WriteRequest, status: number): void;
  failed(error: unknown): void;
}

/** A write that the kernel did not take at once. */
export class WriteRequest implements Request {
  readonly oncomplete: (status: number) => void = onWritten;
  stream: Writer | undefined;
  /** The runtime goes on to read from them, and relies on us to keep them. */
  bytes: Uint8Array | undefined;
  written: (() => void) | undefined;
}

function onWritten(this: WriteRequest, status: number): void {
  const { stream } = this;
  try {
    stream?.written(this, status);
  } catch (error) {
    stream?.failed(error);
  }
}

/** Whose handle it is. */
interface Reader {
  /** A read has ended; its result is in the binding's state. */
  received(): void;
  /** A FIN has come, of which the owner has not been told. */
  tellEnd(): void;
  /** One of them threw. */
  failed(error: unknown): void;
}

/** The `onread` of the handle that a stream owns. */
export function onRead(this: TcpHandle): void {
  const stream = this.owner as Reader | undefined;
  try {
    stream?.received();
  } catch (error) {
    stream?.failed(error);
  }
}

/** {@link Reader.tellEnd}, in a later turn. */
export function tellEnd(stream: Reader): void {
  try {
    stream.tellEnd();
  } catch (error) {
    stream.failed(error);
  }
}
