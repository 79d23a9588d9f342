/**
 * The least that an HTTP/2 server can do on the runtime's TLS: it looks at heads of frames alone and
 * answers each request with the same octets. No fields, no flow control, no routes, no backend, no log.
 * What mc-proxy costs beyond this is its own, and the way to the backend and back.
 *
 * Usage: `deno run -A floor.ts PORT CERT KEY`
 *
 * @module
 */
import { createSockets, NO_HANDLER, type TcpStream, tlsCredentials } from "../../lib/tcp/mod.ts";

const [port = "0", cert = "", key = ""] = Deno.args;
const credentials = tlsCredentials({
  certPem: Deno.readTextFileSync(cert),
  keyPem: Deno.readTextFileSync(key),
  alpn: ["h2"],
});

/** RFC 9113 §3.4 and §4.1. */
const PREFACE_OCTETS = 24;
const HEAD_OCTETS = 9;
const HEADERS = 1;
const SETTINGS = 4;
const ACK = 1;
const END_HEADERS = 4;
const END_STREAM = 1;

const NOTHING = new Uint8Array(0);
const BODY = new TextEncoder().encode("hello from the backend\n");
/** `:status: 200`, from the static table (RFC 7541 appendix A). */
const STATUS = Uint8Array.of(0x88);

function frame(type: number, flags: number, stream: number, payload: Uint8Array): number[] {
  const { length } = payload;
  return [
    length >>> 16,
    length >>> 8,
    length,
    type,
    flags,
    stream >>> 24,
    stream >>> 16,
    stream >>> 8,
    stream,
    ...payload,
  ];
}

/** Reads heads of frames, wherever reads end. */
class Answers {
  readonly #stream: TcpStream;
  #unread: Uint8Array = NOTHING;
  #skip = PREFACE_OCTETS;

  constructor(stream: TcpStream) {
    this.#stream = stream;
    stream.write(Uint8Array.from(frame(SETTINGS, 0, 0, NOTHING)));
  }

  onData(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#unread.length + bytes.length);
    all.set(this.#unread);
    all.set(bytes, this.#unread.length);
    const answers: number[] = [];
    let at = 0;
    for (;;) {
      const skipped = Math.min(this.#skip, all.length - at);
      at += skipped;
      this.#skip -= skipped;
      if (this.#skip > 0 || all.length - at < HEAD_OCTETS) break;
      const view = new DataView(all.buffer, at, HEAD_OCTETS);
      this.#skip = view.getUint32(0) >>> 8;
      const [type, flags, stream] = [view.getUint8(3), view.getUint8(4), view.getUint32(5)];
      at += HEAD_OCTETS;
      if (type === SETTINGS && flags !== ACK) answers.push(...frame(SETTINGS, ACK, 0, NOTHING));
      if (type !== HEADERS) continue;
      answers.push(...frame(HEADERS, END_HEADERS, stream, STATUS));
      answers.push(...frame(0, END_STREAM, stream, BODY));
    }
    this.#unread = all.slice(at);
    if (answers.length > 0) this.#stream.write(Uint8Array.from(answers));
  }
}

function secure(stream: TcpStream, hello: Uint8Array): void {
  const lost = () => stream.close();
  const tls = stream.acceptTls?.(hello, {
    credentials,
    handler: {
      ...NO_HANDLER,
      onReadError: lost,
      onEnd: lost,
      onSecure: () =>
        queueMicrotask(() => {
          if (tls === undefined) return;
          const answers = new Answers(tls);
          const onData = (bytes: Uint8Array) => answers.onData(bytes);
          tls.handler = { ...NO_HANDLER, onData, onReadError: lost, onEnd: lost };
          tls.resume();
        }),
    },
  });
}

await createSockets("handles").listen({ host: "127.0.0.1", port: Number(port) }, (stream) => {
  stream.handler = { ...NO_HANDLER, onData: (hello) => secure(stream, hello.slice()) };
  stream.resume();
});
