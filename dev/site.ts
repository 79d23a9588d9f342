import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type Server } from "node:http";
import { createServer, type Server as TcpServer, type Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { formatIp } from "../lib/addr/mod.ts";
import { parseProxyHeader, type ProxyHeader, readSslTlv } from "../lib/proxyproto/mod.ts";

/** A demo client has long sent its PROXY header and its hello by then. */
const PREFACE_TIMEOUT_MS = 5_000;

/** A small web site behind the proxy. */
export interface SiteOptions {
  /** What the answers call it. */
  readonly name: string;
  readonly port: number;
  /** Speaks TLS with this certificate; without it, plain HTTP. */
  readonly identity?: { readonly certPem: string; readonly keyPem: string };
  /** Answers with text as soon as somebody connects, instead of HTTP. */
  readonly textOnly?: boolean;
  /** Every connection starts with a PROXY protocol header. */
  readonly proxyProtocol?: boolean;
}

/** What is known of a connection beside its bytes. */
interface Seen {
  readonly peer: string;
  readonly header?: ProxyHeader;
}

/**
 * A backend whose answer says which backend it is and what it saw: the server name, the client's
 * address and where that came from, the headers a proxy added.
 */
export class Site implements AsyncDisposable {
  readonly #options: SiteOptions;
  readonly #http: Server;
  readonly #listener: TcpServer;
  readonly #secureContext: SecureContext | undefined;
  readonly #seen = new WeakMap<Socket, Seen>();
  readonly #sockets = new Set<Socket>();

  private constructor(options: SiteOptions) {
    this.#options = options;
    this.#secureContext = options.identity &&
      createSecureContext({ cert: options.identity.certPem, key: options.identity.keyPem });
    this.#http = createHttpServer((request, response) => {
      response.setHeader("content-type", "text/plain; charset=utf-8");
      response.end(this.#answer(request));
    });
    this.#listener = createServer((socket) => this.#accept(socket));
    // A server that does not listen itself closes each connection with the first answer (Deno 2.9.6),
    // though it has said that it keeps it: what the client sends then is answered with a RST.
    Object.defineProperty(this.#http, "listening", { get: () => this.#listener.listening });
  }

  /** Starts a site on `127.0.0.1`; rejects when the port is taken. */
  static async start(options: SiteOptions): Promise<Site> {
    const site = new Site(options);
    site.#listener.listen(options.port, "127.0.0.1");
    await once(site.#listener, "listening");
    return site;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#listener, "close");
  }

  #accept(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    if (!this.#options.proxyProtocol) return this.#serve(socket, { peer });
    socket.setTimeout(PREFACE_TIMEOUT_MS, () => socket.destroy());
    let start = new Uint8Array();
    const read = (chunk: Uint8Array) => {
      start = Buffer.concat([start, chunk]);
      const header = parseProxyHeader(start);
      if (header.kind === "need") return;
      if (header.kind === "invalid") return void socket.destroy();
      socket.off("data", read).pause().setTimeout(0);
      socket.unshift(start.subarray(header.size));
      this.#serve(socket, { peer, header: header.value });
    };
    socket.on("data", read);
  }

  #serve(socket: Socket, seen: Seen): void {
    const secureContext = this.#secureContext;
    if (this.#options.textOnly) {
      const lines = [`backend: ${this.#options.name}`, `client: ${describeClient(seen)}`];
      socket.resume().end([...lines, ...describeCertificate(seen)].join("\n") + "\n");
      return;
    }
    if (secureContext === undefined) {
      this.#seen.set(socket, seen);
      this.#http.emit("connection", socket);
      // A socket that was paused explicitly stays so when the HTTP server starts to listen for data.
      socket.resume();
      return;
    }
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext,
      ALPNProtocols: ["http/1.1"],
    });
    secure.on("error", () => socket.destroy());
    this.#seen.set(secure, seen);
    this.#http.emit("connection", secure);
  }

  #answer(request: IncomingMessage): string {
    const seen = this.#seen.get(request.socket);
    const lines = [
      `backend: ${this.#options.name}`,
      `request: ${request.method} ${request.url} HTTP/${request.httpVersion}`,
      `host: ${request.headers.host ?? "-"}`,
      `client: ${describeClient(seen)}`,
    ];
    for (const [name, value] of Object.entries(request.headers)) {
      if (name.startsWith("x-") || name === "via") lines.push(`${name}: ${value}`);
    }
    return lines.join("\n") + "\n";
  }
}

function describeClient(seen: Seen | undefined): string {
  const source = seen?.header?.source;
  if (source !== undefined) {
    const version = seen?.header?.version;
    return `${formatIp(source.ip)} port ${source.port} (PROXY v${version} header)`;
  }
  return `${seen?.peer ?? "-"} (TCP peer, which is the proxy)`;
}

/** What the connector says of the certificate that it has verified. */
function describeCertificate({ header }: Seen): string[] {
  const ssl = header && readSslTlv(header.tlvs);
  if (!ssl?.certificateOnConnection || ssl.verify !== 0) return [];
  return [`certificate: ${ssl.commonName} (verified by the proxy, ${ssl.version})`];
}
