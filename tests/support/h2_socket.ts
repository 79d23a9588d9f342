/**
 * A session over a real socket, for tests of the core alone.
 *
 * @module
 */
import type { Socket } from "node:net";
import { type H2Handler, H2Session, type Limits } from "../../lib/h2/mod.ts";

/** How often deadlines are looked at. */
const TICK_MS = 500;

/** What a test wants to hear of; `onOutput` is taken. */
export type Hooks = Partial<Omit<H2Handler, "onOutput">>;

/** Joins a session to a socket until either ends. */
export function attachSession(
  socket: Socket,
  role: "server" | "client",
  hooks: Hooks,
  limits?: Limits,
): H2Session {
  socket.on("error", () => {});
  let full = false;
  let scheduled = true;
  const flush = () => {
    scheduled = false;
    if (full || socket.destroyed) return;
    for (const bytes of session.takeOutput()) if (!socket.write(bytes)) full = true;
    if (session.closed && session.pendingOutput === 0) socket.end();
  };
  const schedule = () => {
    if (!scheduled) queueMicrotask(flush);
    scheduled = true;
  };
  const nothing = () => {};
  const session = new H2Session({
    role,
    ...limits && { limits },
    now: performance.now(),
    handler: {
      onData: (stream, bytes) => stream.consume(bytes.length),
      onTrailers: nothing,
      onReset: nothing,
      onDrain: nothing,
      ...hooks,
      onOutput: schedule,
      onClose: (cause) => {
        hooks.onClose?.(cause);
        schedule();
      },
    },
  });
  const timer = setInterval(() => session.tick(performance.now()), TICK_MS);
  socket.on("drain", () => {
    full = false;
    schedule();
  });
  socket.on("data", (bytes: Uint8Array) => session.receive(bytes, performance.now()));
  socket.on("close", () => {
    clearInterval(timer);
    session.abort("connection lost");
  });
  queueMicrotask(flush);
  return session;
}
