/**
 * Backends that are drained, removed and cut while clients ask all the time: over l4, and over l7
 * with connections that are kept, with several streams at once, with tunnels. Two workers, real
 * servers. `DRAIN_UNDER_LOAD_SECONDS=60` goes round for as long, and says how much there was.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Socket } from "node:net";
import { join } from "node:path";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { startBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { CLIENTS, HOST, type HttpClient, identity, startHttpBackend } from "../support/l7.ts";
import { startProxy } from "../support/proxy.ts";
import { type RawTunnel, TUNNELS } from "../support/tunnels.ts";

const SECONDS = Number(Deno.env.get("DRAIN_UNDER_LOAD_SECONDS") ?? 0);
/** Of each kind at one time; those over HTTP/2 have so many streams each. */
const CLIENTS_OF_A_KIND = 2;
const STREAMS = 4;
/** Requests of a connection of HTTP/1.1, before its client takes another one. */
const KEPT_FOR = 20;
/** What each load has to get done between two changes: some of it was under way at the first. */
const MEANWHILE = 12;

/** A backend, as the loads see it. */
interface Served {
  readonly address: string;
  /** Requests, connections (l4) or tunnels that have begun here. */
  begun: number;
  /** Those that go on. */
  open: number;
}

interface Load {
  readonly hostname: string;
  done: number;
  readonly failures: string[];
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Answers with what it was sent, in two pieces, a moment apart: there is always something under way. */
async function startSlowEcho(kind: "http1" | "h2c", stack: AsyncDisposableStack): Promise<Served> {
  const served = { address: "", begun: 0, open: 0 };
  const backend = await startHttpBackend(kind, (request, response: Http2ServerResponse) => {
    served.begun++;
    served.open++;
    response.once("close", () => served.open--);
    const content: Uint8Array[] = [];
    request.on("data", (piece: Uint8Array) => content.push(piece));
    request.on("end", async () => {
      response.write("echo:");
      await pause(Math.random() * 10);
      response.end(Buffer.concat(content));
    });
  }, {
    tune: (server) =>
      server.on("upgrade", ({ headers }: IncomingMessage, socket: Socket) => {
        served.begun++;
        served.open++;
        socket.once("close", () => served.open--);
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
            `Sec-WebSocket-Accept: ${acceptOf(headers["sec-websocket-key"] ?? "")}\r\n\r\n`,
        );
        socket.pipe(socket);
      }),
  });
  stack.use(backend);
  served.address = backend.address;
  return served;
}

/** RFC 6455 §4.2.2. */
function acceptOf(key: string): string {
  const text = `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  return createHash("sha1").update(text).digest("base64");
}

/** Sends back what it gets. */
async function startEcho(stack: AsyncDisposableStack): Promise<Served> {
  const served = { address: "", begun: 0, open: 0 };
  const backend = await startBackend({
    onConnection({ socket }) {
      served.begun++;
      served.open++;
      socket.once("close", () => served.open--);
      socket.pipe(socket);
    },
  });
  stack.use(backend);
  served.address = backend.address;
  return served;
}

/** One request whose content comes back; every other one is of a method that may not be repeated. */
async function ask(client: HttpClient, load: Load): Promise<void> {
  const method = load.done % 2 === 0 ? "POST" : "GET";
  const body = method === "POST" ? `content ${load.done}` : undefined;
  const question = { method, authority: load.hostname, ...body !== undefined && { body } };
  try {
    const answer = await client.ask(question);
    if (answer.status !== 200 || answer.body !== `echo:${body ?? ""}`) {
      load.failures.push(`${method}: ${answer.status} ${answer.body}`);
    }
  } catch (error) {
    load.failures.push(`${method}: ${error}`);
  }
  load.done++;
}

/** Clients of one version of HTTP, until it is over. */
async function askAllTheTime(
  version: keyof typeof CLIENTS,
  load: Load,
  { port, isOver }: { readonly port: number; readonly isOver: () => boolean },
): Promise<void> {
  const lanes = version === "h2" ? STREAMS : 1;
  await Promise.all(Array.from({ length: CLIENTS_OF_A_KIND }, async () => {
    while (!isOver()) {
      await using client = await CLIENTS[version]({ port, serverName: load.hostname });
      await Promise.all(Array.from({ length: lanes }, async () => {
        for (let i = 0; i < KEPT_FOR && !isOver(); i++) await ask(client, load);
      }));
    }
  }));
}

/** Clients of l4, each of which says a few things on a connection. */
async function connectAllTheTime(
  load: Load,
  { port, isOver }: { readonly port: number; readonly isOver: () => boolean },
): Promise<void> {
  const hello = buildClientHello({ serverName: load.hostname });
  await Promise.all(Array.from({ length: CLIENTS_OF_A_KIND }, async () => {
    while (!isOver()) {
      try {
        await using client = await connectRaw({ port });
        for (const octets of [hello, new Uint8Array(10), new Uint8Array(1000)]) {
          await client.write(octets);
          await client.read(octets.length);
          await pause(Math.random() * 5);
        }
        client.end();
        assert.equal((await client.readToEnd()).ending, "end");
      } catch (error) {
        load.failures.push(`l4: ${error}`);
      }
      load.done++;
    }
  }));
}

/** A tunnel that is still good: what is sent comes back. */
async function speak(tunnel: RawTunnel, word: string): Promise<void> {
  tunnel.send(word);
  await eventually(() => tunnel.text().endsWith(word), `${word} comes back`);
}

Deno.test("under load a drain, a removal and a deadline lose no request and no connection", async () => {
  await using stack = new AsyncDisposableStack();
  const routes = {
    [HOST]: await all(() => startSlowEcho("http1", stack)),
    "b.test": await all(() => startSlowEcho("h2c", stack)),
    "c.test": await all(() => startEcho(stack)),
  };
  const { certPem, keyPem } = await identity();
  const proxy = stack.use(
    await startProxy({
      files: { "a.pem": certPem, "a.key": keyPem },
      config: (folder) => ({
        grpc: { addr: join(folder, "admin.sock") },
        server: { workers: 2 },
        firewall: { rate_limit: 0 },
        l7: { access_log: false },
        listeners: [{ addr: "127.0.0.1:0", routes: Object.entries(routes).map(routeOf(folder)) }],
      }),
    }),
  );
  const client = createClient({ socketPath: join(proxy.folder, "admin.sock"), actor: "test" });
  stack.defer(() => client.close());
  const port = proxy.port();

  const loads = Object.keys(routes).map((hostname): Load => ({ hostname, done: 0, failures: [] }));
  let over = false;
  const at = { port, isOver: () => over };
  const [one, other, third] = loads as [Load, Load, Load];
  const running = Promise.all([
    askAllTheTime("h2", one, at),
    askAllTheTime("http/1.1", one, at),
    askAllTheTime("h2", other, at),
    askAllTheTime("http/1.1", other, at),
    connectAllTheTime(third, at),
  ]);
  let rounds = 0;
  const until = performance.now() + SECONDS * 1000;
  try {
    do {
      await round(client, { routes, loads, port, isFirst: rounds === 0 });
      rounds++;
    } while (performance.now() < until);
  } finally {
    over = true;
    await running;
  }
  for (const { hostname, done, failures } of loads) {
    tell(`${hostname}: ${failures.length} of ${done} failed in ${rounds} rounds`);
    assert.deepEqual(failures, [], `${hostname}, of ${done}`);
  }
});

type Routes = Readonly<Record<string, readonly [Served, Served, Served]>>;

/** Drains the first backend of each route, removes the second, and cuts what is left at the first. */
async function round(
  client: AdminClient,
  { routes, loads, port, isFirst }: {
    readonly isFirst: boolean;
    readonly routes: Routes;
    readonly loads: readonly Load[];
    readonly port: number;
  },
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const goOn = async () => {
    const marks = loads.map(({ done }) => done + MEANWHILE);
    await eventually(
      () => loads.every(({ done }, i) => done >= (marks[i] as number)),
      "the loads go on",
    );
  };
  const each = async (
    what: (hostname: string, served: readonly [Served, Served, Served]) => Promise<unknown>,
  ) =>
    await Promise.all(Object.entries(routes).map(([hostname, served]) => what(hostname, served)));
  const isLeft = async (which: 0 | 1) => {
    // What was under way there ends; from then on nothing begins.
    await goOn();
    const begun = Object.values(routes).map((served) => served[which].begun);
    await goOn();
    assert.deepEqual(Object.values(routes).map((served) => served[which].begun), begun);
  };
  await goOn();
  const [first, second] = routes[HOST] as readonly [Served, Served, Served];
  const tunnels: RawTunnel[] = [];
  for (const version of ["http/1.1", "h2"] as const) {
    // They are spread like everything else; enough of them, and each backend has one.
    for (let i = 0; i < 6; i++) tunnels.push(stack.use(await TUNNELS[version](port)));
  }
  assert.deepEqual(tunnels.map(({ status }) => status), [
    ...Array(6).fill(101),
    ...Array(6).fill(200),
  ]);
  for (const [i, tunnel] of tunnels.entries()) await speak(tunnel, `hello ${i}`);

  await each((hostname, [{ address: addr }]) =>
    client.setBackendState({ hostname, addr, state: "drain" })
  );
  await isLeft(0);
  await each((hostname, [, { address: addr }]) => client.removeBackend({ hostname, addr }));
  await isLeft(1);
  const held = first.open + second.open;
  // Those that came back a moment ago get little.
  if (isFirst) assert.ok(held > 0, "tunnels are left at those that are drained and removed");
  for (const [i, tunnel] of tunnels.entries()) {
    assert.equal(tunnel.ended(), false);
    await speak(tunnel, `still ${i}`);
  }
  // What is left there is cut at the deadline, and nothing else is.
  const atFirst = first.open;
  const cut = await client.setBackendState({
    ...{ hostname: HOST, addr: first.address, state: "drain" },
    deadline: { seconds: 0n, nanos: 50_000_000 },
  });
  assert.equal(cut.closedConnections, atFirst);
  await eventually(() => first.open === 0, "what was left is cut");
  await eventually(
    () => tunnels.filter((tunnel) => tunnel.ended()).length === atFirst,
    "as many tunnels have ended",
  );
  for (const tunnel of tunnels.filter((tunnel) => !tunnel.ended())) await speak(tunnel, "at last");
  await goOn();
  await each((hostname, [{ address }, removed]) =>
    Promise.all([
      client.setBackendState({ hostname, addr: address, state: "up" }),
      client.addBackend({ hostname, backend: { addr: removed.address } }),
    ])
  );
}

const all = <T>(start: () => Promise<T>): Promise<[T, T, T]> =>
  Promise.all([start(), start(), start()]);

const routeOf = (folder: string) => ([hostname, served]: [string, readonly Served[]]) => ({
  hostname,
  backends: served.map(({ address }) => ({ addr: address })),
  ...hostname === "c.test" ? {} : {
    ...{ mode: "l7", backend_protocol: hostname === HOST ? "http1" : "h2" },
    ...{ tls_cert: join(folder, "a.pem"), tls_key: join(folder, "a.key") },
  },
});

/** The figures are for people, and for long runs. */
function tell(line: string): void {
  if (SECONDS > 0) Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}
