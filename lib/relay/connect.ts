import type { DialHandler, Dialling, Sockets, TcpStream } from "../tcp/mod.ts";
import type { Connect } from "./dial.ts";
import { Link, Ring } from "./ring.ts";

/** Plain TCP connections on these sockets. */
export function connectWith(sockets: Sockets): Connect<TcpStream> {
  const underWay = new WeakMap<AbortSignal, Ring<Attempt>>();
  return ({ hostname, port, signal }) =>
    new Promise((resolve, reject) => {
      let attempts = underWay.get(signal);
      if (attempts === undefined) underWay.set(signal, attempts = attemptsUntil(signal));
      new Attempt({ attempts, resolve, reject }).start(sockets, hostname, port);
    });
}

/** What `signal` ends: one listener for all of them, since each would cost as much as its promise. */
function attemptsUntil(signal: AbortSignal): Ring<Attempt> {
  const attempts = new Ring<Attempt>();
  const abort = () => {
    for (const attempt of attempts) attempt.abort(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  return attempts;
}

/** One attempt to connect. */
class Attempt extends Link implements DialHandler {
  readonly #attempts: Ring<Attempt>;
  readonly #resolve: (stream: TcpStream) => void;
  readonly #reject: (reason: unknown) => void;
  #dialling: Dialling | undefined;

  constructor({ attempts, resolve, reject }: {
    readonly attempts: Ring<Attempt>;
    readonly resolve: (stream: TcpStream) => void;
    readonly reject: (reason: unknown) => void;
  }) {
    super();
    this.#attempts = attempts;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(sockets: Sockets, hostname: string, port: number): void {
    this.#dialling = sockets.connect(hostname, port, this);
    this.#attempts.add(this);
  }

  onConnect(stream: TcpStream): void {
    this.#attempts.delete(this);
    this.#resolve(stream);
  }

  onFailure(error: Error): void {
    this.#attempts.delete(this);
    this.#reject(error);
  }

  abort(reason: unknown): void {
    this.#attempts.delete(this);
    this.#dialling?.cancel();
    this.#reject(reason);
  }
}
