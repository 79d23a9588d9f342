import type { NameOut, TcpBinding, TcpHandle } from "./_binding.ts";
import {
  closeLoop,
  type Loop,
  type MovableHandle,
  openLoop,
  readOne,
  STOCK_OCTETS,
  write,
} from "./_loop.ts";

/** A new stock is laid in while so many are left. */
const LOW_STOCK = 512;
const NOTHING = new Uint8Array(0);

/** What {@link Primer.prime} has to know of how a handle is used. */
export interface Primed {
  /** Where it reads to; memory of its own by default. */
  readonly buffer?: Uint8Array;
  readonly reading: boolean;
  /** It did not get its connection back, which is reset: the negative errno. */
  readonly onLost: (status: number) => void;
}

/**
 * Gives octets to handles that never got one; one for each thread.
 *
 * The runtime (Deno 2.9.6, uv_compat/tcp.rs) takes a connection for broken when a write waits, its
 * reading has stopped, a FIN has come and not one octet ever did: it drops all writes that wait. A
 * peer that sends a FIN first and then reads slowly would so lose the end of what is written to it.
 * One octet spares a handle this for its lifetime, and it need not come from the peer: when the first
 * write has to wait, the handle is given a connection of this thread to itself to read an octet
 * from, and then its own again. The writes wait in the handle meanwhile, in their order.
 */
export class Primer {
  readonly #binding: TcpBinding;
  #loop: Loop | undefined;
  #left = 0;
  #ready: Promise<void> | undefined;
  #settled = false;

  constructor(binding: TcpBinding) {
    this.#binding = binding;
  }

  /** Resolves when there is a stock; without one, as on a runtime that changed, nothing is primed. */
  ready(): Promise<void> {
    return this.#ready ??= this.#restock().catch(() => {}).then(() => void (this.#settled = true));
  }

  /** {@link ready} has resolved before. */
  get settled(): boolean {
    return this.#settled;
  }

  /**
   * Has a handle with a write that waits read an octet. To be called in a turn in which it is not
   * told of a FIN, since reading stops after that whatever is done meanwhile.
   */
  prime(handle: TcpHandle, primed: Primed): void {
    if (this.#loop === undefined || this.#left === 0) return;
    const move = new Move(this.#binding, handle as MovableHandle, primed);
    if (!move.begin(this.#loop.handle)) this.#left = LOW_STOCK + 1; // It may be gone.
    if (--this.#left !== LOW_STOCK) return;
    this.#ready = undefined;
    this.ready();
  }

  async #restock(): Promise<void> {
    const loop = await openLoop(this.#binding);
    try {
      // They come in one segment: who has read the first knows that all the others are there.
      await write(this.#binding, loop.sender);
      await readOne(loop.handle);
    } catch (error) {
      closeLoop(loop);
      throw error;
    }
    if (this.#loop !== undefined) closeLoop(this.#loop);
    this.#loop = loop;
    this.#left = STOCK_OCTETS - 1;
  }
}

interface Internals {
  readonly core: { close(rid: number): void };
}

interface RuntimeInternals {
  readonly internal: symbol;
  readonly [internals: symbol]: Internals;
}

/** Gives `to` a copy of the connection of `from`. */
function copyConnection(from: MovableHandle, to: MovableHandle): boolean {
  // By descriptors it would be one line, but the runtime forgets no number that open() was given
  // before the handle is closed, and refuses it when it comes again.
  const runtime = Deno as unknown as RuntimeInternals;
  const { core } = runtime[runtime.internal] as Internals;
  let rid;
  try {
    rid = from.takeStream();
  } catch { // The descriptors had run out when it was to get it back.
    return false;
  }
  const status = from.openFromRid(rid) || to.openFromRid(rid);
  core.close(rid);
  return status === 0;
}

/** A handle on its way to an octet and back. What its owner asks of it meanwhile is done after. */
class Move {
  readonly #binding: TcpBinding;
  readonly #handle: MovableHandle;
  #buffer: Uint8Array;
  #reading: boolean;
  readonly #onLost: (status: number) => void;
  /** The connection that the handle has to get back. */
  #fd = -1;

  constructor(binding: TcpBinding, handle: MovableHandle, { buffer, reading, onLost }: Primed) {
    this.#onLost = onLost;
    this.#binding = binding;
    this.#handle = handle;
    this.#buffer = buffer ?? NOTHING;
    this.#reading = reading;
  }

  /** Whether it is under way; if not, nothing has changed. */
  begin(source: MovableHandle): boolean {
    const handle = this.#handle;
    const peer: NameOut = {};
    const local: NameOut = {};
    handle.getpeername(peer);
    handle.getsockname(local);
    this.#fd = handle.fdForIpc();
    if (this.#fd < 0) return false;
    handle.readStop();
    if (!copyConnection(source, handle)) {
      this.#abandon().close();
      if (this.#reading) handle.readStart();
      return false;
    }
    handle.useUserBuffer(new Uint8Array(1));
    const { onread } = handle;
    handle.onread = () => this.#end();
    handle.readStart();
    handle.onread = onread;
    this.#divert({ peer, local });
    return true;
  }

  /** Its own methods stand in front of the runtime's until {@link #restore}. */
  #divert({ peer, local }: { readonly peer: NameOut; readonly local: NameOut }): void {
    const told = (name: NameOut) => (out: NameOut) => (Object.assign(out, name), 0);
    Object.assign(this.#handle, {
      readStart: () => (this.#reading = true, 0),
      readStop: () => (this.#reading = false, 0),
      useUserBuffer: (buffer: Uint8Array) => void (this.#buffer = buffer),
      getpeername: told(peer),
      getsockname: told(local),
      reset: () => {
        const held = this.#abandon();
        const status = held.reset();
        held.close();
        return status;
      },
      close: (done?: () => void) => {
        if (this.#fd >= 0) this.#abandon().close();
        this.#restore();
        this.#handle.close(done);
      },
    });
  }

  #restore(): void {
    const own = this.#handle as Partial<MovableHandle>;
    delete own.readStart;
    delete own.readStop;
    delete own.useUserBuffer;
    delete own.getpeername;
    delete own.getsockname;
    delete own.reset;
    delete own.close;
  }

  /** The connection in a handle of its own, for its end. */
  #abandon(): MovableHandle {
    const held = this.#binding.create() as MovableHandle;
    held.open(this.#fd);
    this.#fd = -1;
    return held;
  }

  /** What waits would be written to ourselves, and nobody would hear of it. */
  #lose(status: number): void {
    const held = this.#abandon();
    held.reset();
    held.close();
    this.#onLost(status);
  }

  /** The octet was read. */
  #end(): void {
    if (this.#fd < 0) return;
    const handle = this.#handle;
    this.#restore();
    handle.readStop();
    const status = handle.open(this.#fd);
    if (status !== 0) return this.#lose(status);
    this.#fd = -1;
    handle.useUserBuffer(this.#buffer);
    if (this.#reading) handle.readStart();
  }
}
