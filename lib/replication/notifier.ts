import { type Name, nameKey, parseMessage } from "../dns/mod.ts";
import { closingWith, openDatagrams, type Server } from "../dns_client/mod.ts";
import { encodeNotify, isNotifyAnswer } from "../transfer/mod.ts";
import { signMessage, type TsigKey } from "../tsig/mod.ts";

/** A server that is told of changes. */
export interface NotifyTarget extends Server {
  readonly key?: TsigKey | undefined;
}

/** RFC 1996 §3.6: sixty seconds and five times are suggested; the first loss should not cost a minute. */
const FIRST_WAIT_MS = 2000;
const MOST_TRIES = 5;
/** Changes that follow each other closely are one piece of news. */
const SETTLE_MS = 100;
const ANSWER_OCTETS = 4096;

/** What tests replace. */
export interface NotifierOptions {
  /** Seconds since 1970. */
  readonly time?: () => number;
  readonly firstWaitMs?: number;
  readonly settleMs?: number;
  /** Told of a target that has heard it. */
  readonly onHeard?: (target: NotifyTarget, zone: Name) => void;
  /** Told of a target that did not answer. */
  readonly onSilent?: (target: NotifyTarget, zone: Name) => void;
}

/** Tells secondaries that zones have changed, until they have heard it. */
export class Notifier implements Disposable {
  readonly #options: NotifierOptions;
  /** Of each zone: what ends its news, which newer news replaces. */
  readonly #underWay = new Map<string, AbortController>();

  constructor(options: NotifierOptions = {}) {
    this.#options = options;
  }

  /** Zones whose news is not heard by all yet. */
  get size(): number {
    return this.#underWay.size;
  }

  /** A zone has changed. */
  notify(zone: Name, targets: readonly NotifyTarget[]): void {
    const key = nameKey(zone);
    this.#underWay.get(key)?.abort();
    this.#underWay.delete(key);
    if (targets.length === 0) return;
    const ended = new AbortController();
    this.#underWay.set(key, ended);
    this.#tellAll(zone, targets, ended.signal).catch(() => {}).finally(() => {
      if (this.#underWay.get(key) === ended) this.#underWay.delete(key);
    });
  }

  [Symbol.dispose](): void {
    for (const ended of this.#underWay.values()) ended.abort();
    this.#underWay.clear();
  }

  async #tellAll(zone: Name, targets: readonly NotifyTarget[], signal: AbortSignal) {
    await wait(this.#options.settleMs ?? SETTLE_MS, signal);
    await Promise.all(targets.map(async (target) => {
      const isHeard = await this.#tell(zone, target, signal);
      if (isHeard) this.#options.onHeard?.(target, zone);
      else if (!signal.aborted) this.#options.onSilent?.(target, zone);
    }));
  }

  /** Whether it was heard. */
  async #tell(zone: Name, target: NotifyTarget, signal: AbortSignal): Promise<boolean> {
    let waitMs = this.#options.firstWaitMs ?? FIRST_WAIT_MS;
    for (let tries = 0; tries < MOST_TRIES && !signal.aborted; tries++) {
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(), waitMs);
      try {
        await this.#tellOnce(zone, target, AbortSignal.any([signal, limit.signal]));
        return true;
      } catch {
        if (!limit.signal.aborted) await wait(waitMs, signal).catch(() => {}); // It is over.
      } finally {
        clearTimeout(timer);
      }
      waitMs *= 2;
    }
    return false;
  }

  async #tellOnce(zone: Name, target: NotifyTarget, signal: AbortSignal): Promise<void> {
    const { hostname, port, key } = target;
    const id = crypto.getRandomValues(new Uint16Array(1))[0] as number;
    const plain = encodeNotify(id, zone);
    const time = this.#options.time?.() ?? Math.floor(Date.now() / 1000);
    const octets = key === undefined ? plain : (await signMessage(plain, { key, time })).octets;
    signal.throwIfAborted();
    const socket = openDatagrams(hostname);
    using _closing = closingWith(signal, socket);
    await socket.send(octets, { transport: "udp", hostname, port });
    const buffer = new Uint8Array(ANSWER_OCTETS);
    for (;;) {
      const [bytes, from] = await socket.receive(buffer);
      const isTarget = from.transport === "udp" && from.port === port;
      const message = parseMessage(bytes);
      if (isTarget && message.ok && isNotifyAnswer(message.value, { id, zone })) return;
    }
  }
}

/** @throws when `signal` aborts. */
async function wait(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
