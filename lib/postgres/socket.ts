import { isIP, Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** SSLRequest (PostgreSQL documentation, "Message Formats"): length 8, code 80877103. */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f);
/** The server's one octet that agrees to TLS. */
const AGREED = 0x53;

/** Where the database is and how to speak to it. */
export interface PostgresServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Never in a log, an error or a URL. */
  readonly password: string;
  readonly database: string;
  /** Speak TLS and verify the server; absent: plaintext. There is no unverified TLS. */
  readonly tls?: {
    /** PEM of the authorities to trust instead of the public ones. */
    readonly ca?: string;
    /** The name in the server's certificate, where it is not `host`. */
    readonly serverName?: string;
    /** PEM of the certificate, and of its key, by which the server knows us. */
    readonly client?: { readonly cert: string; readonly key: string };
  };
}

/**
 * Connects to a PostgreSQL server, up to the first octet of the login. With `tls`, a server that
 * will not speak it is an error, and so is an answer with anything behind the agreeing octet, which
 * somebody in between could have injected (CVE-2021-23222).
 *
 * @throws the socket's error, or why TLS was not agreed; never after `signal` aborted something
 * without destroying the socket.
 */
export async function openPostgresSocket(
  server: PostgresServer,
  signal: AbortSignal,
): Promise<Socket> {
  signal.throwIfAborted();
  const socket = new Socket();
  socket.on("error", () => {});
  const abort = () => socket.destroy();
  signal.addEventListener("abort", abort);
  try {
    const connected = waitFor(socket, "connect");
    socket.connect(server.port, server.host);
    await connected;
    if (server.tls === undefined) return socket;
    const answered = waitFor(socket, "data");
    socket.write(SSL_REQUEST);
    const answer = await answered;
    socket.pause();
    if (!(answer instanceof Uint8Array) || answer.length !== 1 || answer[0] !== AGREED) {
      throw new Error("the database server does not speak TLS");
    }
    const name = server.tls.serverName ?? server.host;
    const secure = connectTls({
      socket,
      host: name,
      ...isIP(name) === 0 && { servername: name },
      ...server.tls.ca !== undefined && { ca: server.tls.ca },
      ...server.tls.client,
      rejectUnauthorized: true,
    });
    secure.on("error", () => {});
    await waitFor(secure, "secureConnect");
    secure.once("close", () => socket.destroy());
    return secure;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** A socket that fails with `error` once its listeners are attached. */
export function failingSocket(error: unknown): Socket {
  const socket = new Socket();
  socket.on("error", () => {});
  // The driver says hello first; that it cannot is not why.
  socket.write = () => true;
  setTimeout(() => socket.destroy(error instanceof Error ? error : new Error(String(error))));
  return socket;
}

/** The first argument of an event; rejects when the socket fails or closes before it. */
function waitFor(socket: Socket, event: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const close = () => reject(new Error("the database server closed the connection"));
  socket.once(event, resolve).once("error", reject).once("close", close);
  return promise.finally(() => {
    socket.off(event, resolve).off("error", reject).off("close", close);
  });
}
