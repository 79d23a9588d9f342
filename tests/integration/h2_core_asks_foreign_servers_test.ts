import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { pipeline } from "node:stream";
import {
  type CloseCause,
  type Fields,
  H2Session,
  type H2Stream,
  type ResetCause,
  type ResponseHead,
} from "../../lib/h2/mod.ts";
import { withinDeadline } from "../support/deadline.ts";
import { attachSession } from "../support/h2_socket.ts";

/** The whole of one answer. */
interface Answer {
  head?: ResponseHead;
  readonly informational: number[];
  readonly chunks: Uint8Array[];
  trailers?: Fields;
  reset?: ResetCause;
}

/** A client session of ours over TCP. */
class Client implements AsyncDisposable {
  readonly socket: Socket;
  readonly session: H2Session;
  readonly closed = Promise.withResolvers<CloseCause>();

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.session = attachSession(this.socket, "client", {
      onResponse: (stream, head, endStream) => {
        const { answer } = contextOf(stream);
        if (head.status < 200) answer.informational.push(head.status);
        else answer.head = head;
        if (endStream) contextOf(stream).done();
      },
      onData: (stream, bytes, endStream) => {
        contextOf(stream).answer.chunks.push(bytes.slice());
        stream.consume(bytes.length);
        if (endStream) contextOf(stream).done();
      },
      onTrailers: (stream, fields) => {
        contextOf(stream).answer.trailers = fields;
        contextOf(stream).done();
      },
      onReset: (stream, cause) => {
        contextOf(stream).answer.reset = cause;
        contextOf(stream).done();
      },
      onDrain: (stream) => contextOf(stream).drained(),
      onClose: (cause) => this.closed.resolve(cause),
    });
  }

  async ask(path: string, body?: Uint8Array, trailers?: Fields): Promise<Answer> {
    const head = { scheme: "http", authority: "a.example", path, fields: ["x-a", "b"] };
    const answer: Answer = { informational: [], chunks: [] };
    const { promise, resolve: done } = Promise.withResolvers<void>();
    const method = body === undefined ? "GET" : "POST";
    const stream = this.session.request({ ...head, method }, body === undefined);
    const context: Context = { answer, done, drained: () => {} };
    stream.context = context;
    for (let at = 0; body !== undefined && at < body.length; at += 50_000) {
      const drained = new Promise<void>((resolve) => context.drained = resolve);
      if (!stream.sendData(body.subarray(at, at + 50_000))) await drained;
    }
    if (trailers !== undefined) stream.sendTrailers(trailers);
    else if (body !== undefined) stream.sendData(new Uint8Array(0), true);
    await withinDeadline(promise, `the answer to ${path}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    if (!this.socket.closed) await once(this.socket, "close");
  }
}

interface Context {
  readonly answer: Answer;
  readonly done: () => void;
  drained: () => void;
}

function contextOf(stream: H2Stream): Context {
  return stream.context as Context;
}

/**
 * A server on a free port, stopped at the end with its connections. `node:http2` as a server is
 * only ever run against ourselves, on loopback.
 */
async function serve(server: http2.Http2Server | ReturnType<typeof createServer>) {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    socket.on("error", () => {});
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function nodeServer(): http2.Http2Server {
  const server = http2.createServer();
  server.on("stream", (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on("error", () => {});
    if (headers[":path"] === "/refuse") return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    if (headers[":path"] === "/trailers") {
      stream.additionalHeaders({ ":status": 103, link: "</a.css>" });
      stream.respond({ ":status": 200, "x-method": headers[":method"] }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      return stream.end("body");
    }
    stream.respond({ ":status": 200 });
    pipeline(stream, stream, () => {});
  });
  return server;
}

Deno.test("the HTTP/2 core as a client reads node:http2: 1xx, head, content, trailers", async () => {
  await using server = await serve(nodeServer());
  await using client = new Client(server.port);
  const answer = await client.ask("/trailers");
  assert.deepEqual(answer.informational, [103]);
  assert.equal(answer.head?.status, 200);
  assert.equal(new TextDecoder().decode(answer.chunks[0]), "body");
  assert.deepEqual(answer.trailers, ["grpc-status", "0"]);
});

Deno.test("the HTTP/2 core as a client sends 2 MB to node:http2 and gets them back", async () => {
  await using server = await serve(nodeServer());
  await using client = new Client(server.port);
  const body = new Uint8Array(2_000_000).map((_, i) => (i * 13 + (i >> 9)) & 255);
  const answers = await Promise.all([client.ask("/1", body), client.ask("/2", body)]);
  for (const { chunks } of answers) {
    assert.deepEqual(new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()), body);
  }
});

Deno.test("the HTTP/2 core as a client sends trailers that node:http2 reads", async () => {
  const node = http2.createServer();
  const { promise, resolve } = Promise.withResolvers<http2.IncomingHttpHeaders>();
  node.on("stream", (stream: http2.ServerHttp2Stream) => {
    stream.on("trailers", resolve);
    stream.respond({ ":status": 204 }, { endStream: true });
    stream.resume();
  });
  await using server = await serve(node);
  await using client = new Client(server.port);
  const answer = await client.ask("/", new Uint8Array(10), ["x-checksum", "17"]);
  assert.equal(answer.head?.status, 204);
  assert.equal((await withinDeadline(promise, "the trailers"))["x-checksum"], "17");
});

Deno.test("the HTTP/2 core as a client learns that node:http2 refused a stream", async () => {
  await using server = await serve(nodeServer());
  await using client = new Client(server.port);
  const { reset } = await client.ask("/refuse");
  assert.equal(reset?.retryable, true);
  assert.equal((await client.ask("/")).head?.status, 200);
});

Deno.test("the HTTP/2 core as a client finds out that a server speaks HTTP/1.1", async () => {
  const http1 = createServer((socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"));
  });
  await using server = await serve(http1);
  await using client = new Client(server.port);
  const { reset } = await client.ask("/");
  assert.equal(reset?.retryable, true);
  assert.equal(client.session.settingsReceived, false);
  assert.equal((await client.closed.promise).by, "rules");
});
