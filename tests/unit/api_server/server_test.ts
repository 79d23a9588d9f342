import assert from "node:assert/strict";
import { connect, type TLSSocket } from "node:tls";
import {
  type ApiRequest,
  type ApiResponse,
  ApiServer,
  type ApiServerOptions,
} from "../../../lib/api_server/mod.ts";
import { FrameFlag, FrameType } from "../../../lib/h2/mod.ts";
import { createSockets } from "../../../lib/tcp/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";
import { connectTls } from "../../support/clients.ts";
import { runCommand } from "../../support/commands.ts";
import { eventually } from "../../support/deadline.ts";
import { frame } from "../../support/h2_raw.ts";
import { RawHttp2Client } from "../../support/raw_http2.ts";

const IDENTITY = await createServerIdentity("localhost");
const DECODER = new TextDecoder();

async function start(
  handle: (request: ApiRequest) => Promise<ApiResponse>,
  limits: Partial<ApiServerOptions> = {},
) {
  const messages: string[] = [];
  const server = await ApiServer.listen({
    addr: "127.0.0.1:0",
    credentials: IDENTITY,
    sockets: createSockets("handles"),
    log: ({ message }) => messages.push(message),
    now: () => 0,
    handle,
    ...limits,
  });
  return {
    server,
    messages,
    port: server.listener.port,
    async [Symbol.asyncDispose]() {
      await server.close(1000);
    },
  };
}

/** Sends octets over TLS with HTTP/1.1 and gives everything that comes back until the end. */
function speak(port: number, pieces: readonly Uint8Array[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket: TLSSocket = connect(
    {
      port,
      host: "127.0.0.1",
      ca: IDENTITY.ca,
      servername: "localhost",
      ALPNProtocols: ["http/1.1"],
    },
    async () => {
      for (const piece of pieces) {
        if (socket.destroyed) return;
        await new Promise((done) => socket.write(piece, done));
      }
    },
  );
  let text = "";
  socket.on("data", (bytes: Uint8Array) => text += DECODER.decode(bytes));
  socket.on("error", reject);
  socket.on("close", () => resolve(text));
  return promise;
}

async function echo(request: ApiRequest): Promise<ApiResponse> {
  const body = await request.body({ maxBytes: 100, timeoutMs: 2000 });
  return { status: 200, fields: ["content-type", "text/plain"], body };
}

async function curl(port: number, ...args: string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/ca.pem`, IDENTITY.ca);
    const fixed = ["-sS", "-i", "--cacert", `${folder}/ca.pem`];
    const resolve = ["--resolve", `localhost:${port}:127.0.0.1`];
    const { stdout, stderr } = await runCommand("curl", [...fixed, ...resolve, ...args]);
    return stdout + stderr;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("requests of curl over HTTP/1.1 and HTTP/2 are answered", async () => {
  await using api = await start(echo);
  for (const protocol of ["--http1.1", "--http2"]) {
    const answer = await curl(api.port, protocol, "-d", "hello", `https://localhost:${api.port}/x`);
    assert.match(answer, /^HTTP\/[12.]+ 200/);
    assert.match(answer, /\r\n\r\nhello$/);
    assert.match(await curl(api.port, protocol, "-I", `https://localhost:${api.port}/`), / 200/);
  }
});

Deno.test("content that is cut anywhere is the same content", async () => {
  await using api = await start(echo, { maxOfSource: 100 });
  const octets = new TextEncoder().encode(
    "POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
  );
  const answers = await Promise.all(
    Array.from(
      { length: octets.length - 1 },
      (_, i) => speak(api.port, [octets.subarray(0, i + 1), octets.subarray(i + 1)]),
    ),
  );
  for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhello$/);
});

Deno.test("content over the limit is refused, whether its length is said or not", async () => {
  await using api = await start(echo);
  const big = "x".repeat(101);
  const url = `https://localhost:${api.port}/`;
  assert.match(await curl(api.port, "--http1.1", "-d", big, url), / 413/);
  assert.match(await curl(api.port, "--http2", "-d", big, url), / 413/);
  const chunked = ["-H", "Transfer-Encoding: chunked", "-d", big];
  assert.match(await curl(api.port, "--http1.1", ...chunked, url), / 413/);
  assert.match(await curl(api.port, "--http1.1", "-d", big.slice(1), url), / 200/);
});

Deno.test("the rest of what was refused over HTTP/2 may come, and is cut off when it does not", async () => {
  await using api = await start(echo);
  await using client = await RawHttp2Client.over(
    await connectTls({
      ...{ port: api.port, ca: IDENTITY.ca, servername: "localhost", ALPNProtocols: ["h2"] },
    }),
  );
  const head = [":method", "POST", ":scheme", "https", ":authority", "localhost", ":path", "/"];
  const request = [...head, "content-length", "101"];
  const resets = (id: number) =>
    client.frames(id).filter(({ type }) => type === FrameType.rstStream).map((it) => it.payload[3]);
  await client.write(client.headers(1, request, false));
  assert.equal(await client.answer(1), "413");
  const rest = new Uint8Array(101);
  await client.write(
    frame(FrameType.data, FrameFlag.endStream, 1, rest),
    client.headers(3, request, false),
  );
  assert.equal(await client.answer(3), "413");
  await eventually(() => resets(3).length > 0, "the stream whose rest does not come is reset");
  assert.deepEqual(resets(3), [0]);
  assert.deepEqual(resets(1), []);
});

Deno.test("content that does not come is not waited for beyond its time", async () => {
  const handle = async (request: ApiRequest) => {
    await request.body({ maxBytes: 10, timeoutMs: 50 });
    return { status: 200 };
  };
  await using api = await start(handle);
  const head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhel";
  const answer = await speak(api.port, [new TextEncoder().encode(head)]);
  assert.match(answer, /^HTTP\/1\.1 408/);
});

Deno.test("content is not read before it is asked for", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  await using api = await start(async () => {
    await promise;
    return { status: 401 };
  });
  const socket = connect({
    ...{ port: api.port, host: "127.0.0.1", ca: IDENTITY.ca, servername: "localhost" },
    ALPNProtocols: ["http/1.1"],
  });
  socket.on("error", () => {});
  await new Promise((done) => socket.once("secureConnect", done));
  const size = 64 * 1024 * 1024;
  socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size}\r\n\r\n`);
  let sent = 0;
  const chunk = new Uint8Array(256 * 1024);
  // As long as the kernel takes it.
  while (sent < size && await written(socket, chunk)) sent += chunk.length;
  assert(sent < size / 2, `${sent} octets were taken`);
  resolve();
  const text = await new Promise<string>((done) => {
    socket.once("data", (bytes: Uint8Array) => done(DECODER.decode(bytes)));
  });
  assert.match(text, /^HTTP\/1\.1 401/);
  socket.destroy();
});

/** Whether a write is taken within a moment. */
function written(socket: TLSSocket, chunk: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 500);
    socket.write(chunk, () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

Deno.test("what a handler throws is a 500 and no more", async () => {
  await using api = await start(() => Promise.reject(new Error("secret")));
  const answer = await curl(api.port, `https://localhost:${api.port}/`);
  assert.match(answer, / 500/);
  assert.doesNotMatch(answer, /secret/);
  assert.deepEqual(api.messages, ["a request to the API failed"]);
});

Deno.test("an answer in pieces arrives whole, over both protocols", async () => {
  async function* pieces() {
    for (let i = 0; i < 64; i++) {
      await Promise.resolve();
      yield new Uint8Array(20_000).fill(65);
    }
  }
  await using api = await start(() => Promise.resolve({ status: 200, body: pieces() }));
  for (const protocol of ["--http1.1", "--http2"]) {
    const answer = await curl(api.port, protocol, `https://localhost:${api.port}/`);
    assert.equal(answer.replace(/^[^]*?\r\n\r\n/, ""), "A".repeat(64 * 20_000));
  }
});

/** A connection from an address of this machine; whether its handshake succeeds. */
function openFrom(localAddress: string, port: number) {
  const socket = connect({
    ...{ port, host: "127.0.0.1", ca: IDENTITY.ca, servername: "localhost", localAddress },
  });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("secureConnect", () => resolve(true));
  socket.once("error", () => resolve(false));
  socket.once("close", () => resolve(false));
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const close = () => {
    socket.destroy();
    return closed;
  };
  return { promise, close };
}

for (
  const [who, limits, sources] of [
    ["a source has", { maxOfSource: 2 }, ["127.0.0.1", "127.0.0.1", "127.0.0.1"]],
    ["all sources have", { maxConnections: 2 }, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]],
  ] as const
) {
  Deno.test(`${who} so many connections, and each that ends gives its place back`, async () => {
    await using api = await start(echo, limits);
    const [first, second, third] = sources;
    const [one, two] = [openFrom(first, api.port), openFrom(second, api.port)];
    assert.deepEqual([await one.promise, await two.promise], [true, true]);
    const refused = openFrom(third, api.port);
    assert.equal(await refused.promise, false);
    await refused.close();
    await one.close();
    await eventually(() => api.server.listener.size === 1, "one place is free");
    const next = openFrom(third, api.port);
    assert.equal(await next.promise, true);
    await Promise.all([next.close(), two.close()]);
  });
}

Deno.test("a source that is full takes no place of another", async () => {
  await using api = await start(echo, { maxOfSource: 1 });
  const one = openFrom("127.0.0.1", api.port);
  assert.equal(await one.promise, true);
  const other = openFrom("127.0.0.2", api.port);
  assert.equal(await other.promise, true);
  await Promise.all([one.close(), other.close()]);
});

Deno.test("so many requests are answered at one time, and those over it are told to come back", async () => {
  const waiting: (() => void)[] = [];
  const handle = async () => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return { status: 200 };
  };
  await using api = await start(handle, { maxExchanges: 2 });
  const ask = () => curl(api.port, `https://localhost:${api.port}/`);
  const [one, two] = [ask(), ask()];
  await eventually(() => waiting.length === 2, "both are asked");
  const refused = await ask();
  assert.match(refused, /^HTTP\/\S+ 503[^]*\r\nretry-after: 1\r\n/i);
  assert.equal(waiting.length, 2);
  for (const answer of waiting.splice(0)) answer();
  assert.match(await one, /^HTTP\/\S+ 200/);
  assert.match(await two, /^HTTP\/\S+ 200/);
  const next = ask();
  await eventually(() => waiting.length === 1, "there is room again");
  waiting[0]?.();
  assert.match(await next, /^HTTP\/\S+ 200/);
});

Deno.test("who does not finish a handshake in time is cut off", async () => {
  await using api = await start(echo, { handshakeTimeoutMs: 50 });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: api.port });
  await connection.write(Uint8Array.of(22, 3, 1));
  const end = await connection.read(new Uint8Array(1)).catch((error) => error);
  assert(end === null || end instanceof Deno.errors.ConnectionReset, String(end));
  connection.close();
  assert.equal(api.server.listener.size, 0);
});
