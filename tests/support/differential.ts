/**
 * The same octets through mc-proxy, nginx and HAProxy to backends that record them: what each passes
 * on, and what it refuses.
 *
 * @module
 */
import { createServer, type Server, type Socket } from "node:net";
import { connectRaw } from "./clients.ts";
import { startHaproxy, startNginx } from "./foreign_servers.ts";
import { connectRawTls, startL7 } from "./l7.ts";
import type { Peer } from "./peer.ts";
import { unusedPorts } from "./ports.ts";

/** The proxies that are compared. */
export const PROXIES = ["ours", "nginx", "haproxy"] as const;
export type ProxyName = typeof PROXIES[number];

/** What a client sends, and over which version. */
export interface Input {
  readonly bytes: Uint8Array;
  readonly protocol: "http/1.1" | "h2";
  /**
   * The fields of HTTP/2 as text, `name: value` a line, and how much content, `= 5 octets`; absent: the
   * octets say it themselves.
   */
  readonly sent?: string;
}

/** A request as it came to a backend, without what each hop says for itself. */
export interface Passed {
  readonly method: string;
  /** Path and query; of an absolute form too. */
  readonly target: string;
  readonly host: string;
  /** `name: value`, sorted by name; what belongs to one hop is left out. */
  readonly fields: readonly string[];
  readonly body: string;
}

/** What each of them passed on, in order; a request that was cut off is not there. */
export type Outcome = Readonly<Record<ProxyName, readonly Passed[]>>;

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
/** Long after whatever happens at once has happened, in milliseconds. */
const QUIET_MS = 60;
/** The same on a machine that is busy. */
const LONG_QUIET_MS = 1500;

/** A backend that keeps what complete requests were made of, and answers them. */
class RecordingBackend implements AsyncDisposable {
  passed: Passed[] = [];
  /** Changes with everything that comes. */
  activity = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  async listen(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    return `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  #accept(socket: Socket): void {
    let received = "";
    let answered = false;
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk: Uint8Array) => {
      this.activity++;
      received += latin1(chunk);
      if (answered) return;
      const passed = parsePassed(received);
      if (passed === undefined) return;
      answered = true;
      this.passed.push(passed);
      socket.end(ANSWER);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    await promise;
  }
}

/** The three proxies, each before a backend of its own. */
export class Differential implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #backends: Readonly<Record<ProxyName, RecordingBackend>>;
  readonly #connect: Readonly<Record<ProxyName, (input: Input) => Promise<Peer>>>;

  private constructor(
    stack: AsyncDisposableStack,
    backends: Readonly<Record<ProxyName, RecordingBackend>>,
    connect: Readonly<Record<ProxyName, (input: Input) => Promise<Peer>>>,
  ) {
    this.#stack = stack;
    this.#backends = backends;
    this.#connect = connect;
  }

  static async start(): Promise<Differential> {
    await using building = new AsyncDisposableStack();
    const backends = {
      ours: building.use(new RecordingBackend()),
      nginx: building.use(new RecordingBackend()),
      haproxy: building.use(new RecordingBackend()),
    };
    const [nginx = 0, nginxH2 = 0, haproxy = 0, haproxyH2 = 0] = await unusedPorts(4);
    const backend = await backends.ours.listen();
    const plane = building.use(await startL7({ backend, route: { backendProtocol: "http1" } }));
    const nginxBackend = await backends.nginx.listen();
    building.use(
      await startNginx({
        port: [nginx, nginxH2],
        config: nginxConfig(nginx, nginxH2, nginxBackend),
      }),
    );
    const haproxyBackend = await backends.haproxy.listen();
    building.use(
      await startHaproxy({
        port: [haproxy, haproxyH2],
        config: haproxyConfig(haproxy, haproxyH2, haproxyBackend),
      }),
    );
    return new Differential(building.move(), backends, {
      ours: ({ protocol }) => connectRawTls({ port: plane.port, alpn: protocol }),
      nginx: ({ protocol }) => connectRaw({ port: protocol === "h2" ? nginxH2 : nginx }),
      haproxy: ({ protocol }) => connectRaw({ port: protocol === "h2" ? haproxyH2 : haproxy }),
    });
  }

  /** What each of them makes of it; one after the other, so that nothing of one is another's. `patient`: waits long for those that seem to do nothing. */
  async outcomeOf(input: Input, { patient = false } = {}): Promise<Outcome> {
    const [ours = [], nginx = [], haproxy = []] = await Promise.all(
      PROXIES.map((name) => this.#pass(name, input, patient ? LONG_QUIET_MS : QUIET_MS)),
    );
    return { ours, nginx, haproxy };
  }

  async #pass(name: ProxyName, input: Input, quietMs: number): Promise<readonly Passed[]> {
    const backend = this.#backends[name];
    backend.passed = [];
    {
      await using peer = await this.#connect[name](input);
      let over = false;
      peer.ending.then(() => over = true);
      // Who refuses may close before all of it was sent.
      await peer.write(input.bytes).catch(() => {});
      const seen = () => `${backend.activity} ${peer.text.length}`;
      let last = seen();
      let since = performance.now();
      while (!over && performance.now() - since < quietMs) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (seen() === last) continue;
        last = seen();
        since = performance.now();
      }
      peer.reset();
    }
    return backend.passed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function nginxConfig(port: number, h2Port: number, backend: string): string {
  const server = (listen: string, more: string) =>
    `server { listen ${listen}; ${more} merge_slashes off; underscores_in_headers on;
location / { proxy_http_version 1.1; proxy_request_buffering off;
proxy_set_header Host $http_host; proxy_set_header Connection ""; proxy_next_upstream off;
proxy_pass http://${backend}; } }`;
  return `http { access_log off; client_body_temp_path %DIR%; proxy_temp_path %DIR%;
fastcgi_temp_path %DIR%; uwsgi_temp_path %DIR%; scgi_temp_path %DIR%;
${server(`127.0.0.1:${port}`, "")}
${server(`127.0.0.1:${h2Port} http2`, "")} }`;
}

function haproxyConfig(port: number, h2Port: number, backend: string): string {
  return `frontend f
  mode http
  bind 127.0.0.1:${port}
  bind 127.0.0.1:${h2Port} proto h2
  default_backend b
backend b
  mode http
  retries 0
  http-reuse never
  server s ${backend}\n`;
}

/** Say something about one hop, or how a message is framed on it. */
const OF_ONE_HOP =
  /^(?:connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|content-length|upgrade|expect|via|forwarded|x-forwarded-.*|x-real-ip|x-request-id|host|cookie)$/;

/** A complete request, normalised; `undefined`: more of it has to come. */
export function parsePassed(received: string): Passed | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [first = "", ...lines] = received.slice(0, headEnd).split("\r\n");
  const fields = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).replace(/^[ \t]+/, "")];
  });
  const values = (name: string) => fields.filter(([it]) => it === name).map(([, value]) => value);
  const body = bodyOf(received.slice(headEnd + 4), {
    chunked: values("transfer-encoding").join().toLowerCase().includes("chunked"),
    length: Number(values("content-length")[0] ?? 0),
  });
  if (body === undefined) return undefined;
  const method = first.slice(0, first.indexOf(" "));
  const target = first.slice(first.indexOf(" ") + 1, first.lastIndexOf(" "));
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target);
  const rest = absolute?.[2] ?? target;
  const cookies = values("cookie");
  return {
    method,
    target: absolute === null || rest.startsWith("/") ? rest : `/${rest}`,
    host: values("host").join(" and ").toLowerCase(),
    fields: [
      ...fields.filter(([name]) => !OF_ONE_HOP.test(name)).map(([name, value]) =>
        `${name}: ${value.trimEnd()}`
      ),
      ...cookies.length > 0 ? [`cookie: ${cookies.join("; ")}`] : [],
    ].sort(),
    body,
  };
}

function bodyOf(
  text: string,
  { chunked, length }: { readonly chunked: boolean; readonly length: number },
): string | undefined {
  if (!chunked) return text.length >= length ? text.slice(0, length) : undefined;
  let body = "";
  for (let at = 0;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) return text.indexOf("\r\n\r\n", lineEnd) >= 0 ? body : undefined;
    at = lineEnd + 2 + size + 2;
    if (text.length < at || Number.isNaN(size)) return undefined;
    body += text.slice(lineEnd + 2, at - 2);
  }
}

/** One character per octet. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const octet of bytes) text += String.fromCharCode(octet);
  return text;
}
