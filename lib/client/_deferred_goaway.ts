import http2 from "node:http2";

/**
 * A GOAWAY is announced in the middle of nghttp2's reading of it, and closing the session at that
 * moment frees what is being read: the process dies of a corrupted heap (Deno 2.9.6, in more than
 * half of the attempts). The gRPC library closes in exactly that handler, whenever a server shuts
 * down in order. So sessions that it opens announce a GOAWAY one turn of the event loop later.
 */
let deferred = false;

/** Makes every session of `http2.connect` announce GOAWAY late. Does nothing the second time. */
export function deferGoaway(): void {
  if (deferred) return;
  deferred = true;
  const connect = http2.connect;
  const late = (...args: Parameters<typeof connect>): http2.ClientHttp2Session => {
    const session = connect(...args);
    const emit = session.emit;
    session.emit = (event: string | symbol, ...values: unknown[]): boolean => {
      if (event !== "goaway") return Reflect.apply(emit, session, [event, ...values]);
      setImmediate(() => Reflect.apply(emit, session, [event, ...values]));
      return true;
    };
    return session;
  };
  http2.connect = late as typeof connect;
}
