import {
  errnoName,
  type NameOut,
  type Request,
  type TcpBinding,
  type TcpHandle,
} from "./_binding.ts";

/** Octets that {@link write} sends at once. */
export const STOCK_OCTETS = 4096;
const LOOPBACK = "127.0.0.1";

/** What a handle can do beyond what streams need (Deno 2.9.6). */
export interface MovableHandle extends TcpHandle {
  /** Takes a descriptor over in place of the one it has, which it closes. */
  open(fd: number): number;
  /** The same with a copy of a resource's. */
  openFromRid(rid: number): number;
  /** A copy of its descriptor. */
  fdForIpc(): number;
  /** Makes its connection a resource. */
  takeStream(): number;
}

/** A connection of a thread to itself. */
export interface Loop {
  /** Has octets to read. */
  readonly handle: MovableHandle;
  /** Sent them. */
  readonly sender: TcpHandle;
}

/** Lets go of both ends. */
export function closeLoop({ handle, sender }: Loop): void {
  handle.close();
  sender.close();
}

/** Connects a thread to itself, and to nobody else. */
export async function openLoop({ create }: TcpBinding): Promise<Loop> {
  const listening = create();
  const handle = create() as MovableHandle;
  const sender = create();
  try {
    const name: NameOut = {};
    check(listening.bind(LOOPBACK, 0));
    const accepted = new Promise<void>((resolve) => {
      listening.onconnection = () => {
        if (listening.accept(sender) === 0) resolve();
      };
    });
    check(listening.listen(1));
    check(listening.getsockname(name));
    await Promise.all([connect(handle, name.port as number), accepted]);
    // Somebody else may have been quicker.
    check(sender.getpeername(name));
    const own: NameOut = {};
    check(handle.getsockname(own));
    if (own.port !== name.port) throw new Error("a stranger connected");
    return { handle, sender };
  } catch (error) {
    closeLoop({ handle, sender });
    throw error;
  } finally {
    listening.close();
  }
}

function check(status: number): void {
  if (status !== 0) throw new Error(errnoName(status));
}

function connect(handle: TcpHandle, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const oncomplete = (status: number) =>
      status === 0 ? resolve() : reject(new Error(errnoName(status)));
    const status = handle.connect({ oncomplete }, LOOPBACK, port);
    if (status !== 0) oncomplete(status);
  });
}

/** A handle that was just accepted takes nothing at once. */
export function write({ state, QUEUED }: TcpBinding, handle: TcpHandle): Promise<void> {
  return new Promise((resolve, reject) => {
    const request: Request & { bytes: Uint8Array } = {
      bytes: new Uint8Array(STOCK_OCTETS), // Not let go of before the end.
      oncomplete: (status) => status === 0 ? resolve() : reject(new Error(errnoName(status))),
    };
    const status = handle.writeBuffer(request, request.bytes);
    if (status !== 0 || state[QUEUED] === 0) request.oncomplete(status);
  });
}

/** Reads one octet. */
export function readOne(handle: TcpHandle): Promise<void> {
  return new Promise((resolve) => {
    handle.useUserBuffer(new Uint8Array(1));
    handle.onread = () => {
      handle.readStop();
      resolve();
    };
    handle.readStart();
  });
}
