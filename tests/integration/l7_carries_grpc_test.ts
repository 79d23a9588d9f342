import assert from "node:assert/strict";
import * as grpc from "@grpc/grpc-js";
import { withinDeadline } from "../support/deadline.ts";
import { HOST, identity, startL7 } from "../support/l7.ts";
import type { TestPlane } from "../support/plane.ts";

/** Messages are octets; what a library would make of them does not matter here. */
const octets = { serialize: (message: Uint8Array) => Buffer.from(message), deserialize: asIs };
const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: octets.serialize,
  requestDeserialize: octets.deserialize,
  responseSerialize: octets.serialize,
  responseDeserialize: octets.deserialize,
});
const SERVICE = {
  unary: method("/t.Test/Unary", false, false),
  serverStream: method("/t.Test/ServerStream", false, true),
  clientStream: method("/t.Test/ClientStream", true, false),
  bidirectional: method("/t.Test/Bidirectional", true, true),
  fail: method("/t.Test/Fail", false, false),
  hang: method("/t.Test/Hang", false, false),
};

const MAX_MESSAGE = 16 * 1024 * 1024;
const OPTIONS = {
  "grpc.max_receive_message_length": MAX_MESSAGE,
  "grpc.max_send_message_length": MAX_MESSAGE,
};

/** A gRPC server, a proxy in front of it and a client, over `transport`. */
class Stage implements AsyncDisposable {
  /** Calls that were cancelled on the server. */
  cancelled = 0;
  readonly #server = new grpc.Server(OPTIONS);
  #proxy: TestPlane | undefined;
  #client: grpc.Client | undefined;

  async start(transport: "own" | "node"): Promise<this> {
    this.#server.addService(SERVICE as unknown as grpc.ServiceDefinition, this.#implementation());
    const credentials = grpc.ServerCredentials.createInsecure();
    const bound = Promise.withResolvers<number>();
    this.#server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
      if (error) bound.reject(error);
      else bound.resolve(port);
    });
    this.#proxy = await startL7({
      backend: `127.0.0.1:${await bound.promise}`,
      settings: { l7: { h2Transport: transport, accessLog: true } },
    });
    const { ca } = await identity();
    this.#client = new grpc.Client(
      `127.0.0.1:${this.#proxy.port}`,
      grpc.credentials.createSsl(Buffer.from(ca)),
      {
        ...OPTIONS,
        "grpc.ssl_target_name_override": HOST,
        "grpc.default_authority": HOST,
        "grpc.enable_retries": 0,
      },
    );
    return this;
  }

  get client(): grpc.Client {
    assert(this.#client !== undefined, "the stage was started");
    return this.#client;
  }

  get proxy(): TestPlane {
    assert(this.#proxy !== undefined, "the stage was started");
    return this.#proxy;
  }

  /** One unary call. */
  unary(
    name: "unary" | "fail" | "hang",
    message: Uint8Array,
    options: { metadata?: grpc.Metadata; deadline?: number } = {},
  ): Promise<{ reply: Uint8Array; trailer: grpc.Metadata; headers: grpc.Metadata }> {
    const { promise, resolve, reject } = Promise.withResolvers<
      { reply: Uint8Array; trailer: grpc.Metadata; headers: grpc.Metadata }
    >();
    let reply: Uint8Array = new Uint8Array(0);
    let headers = new grpc.Metadata();
    const call = this.client.makeUnaryRequest(
      SERVICE[name].path,
      octets.serialize,
      octets.deserialize,
      message,
      options.metadata ?? new grpc.Metadata(),
      options.deadline === undefined ? {} : { deadline: Date.now() + options.deadline },
      (error, value) => {
        if (error) reject(error);
        else reply = value ?? reply;
      },
    );
    call.on("metadata", (received) => headers = received);
    call.on("status", ({ code, metadata }) => {
      if (code === grpc.status.OK) resolve({ reply, trailer: metadata, headers });
    });
    return withinDeadline(promise, `the call ${name}`, 30_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    this.#server.forceShutdown();
    await this.#proxy?.[Symbol.asyncDispose]();
  }

  #implementation(): grpc.UntypedServiceImplementation {
    return {
      unary: (
        call: grpc.ServerUnaryCall<Uint8Array, Uint8Array>,
        done: grpc.sendUnaryData<Uint8Array>,
      ) => {
        const trailer = new grpc.Metadata();
        trailer.set("x-trailer-bin", Buffer.from([0, 255, 10]));
        const initial = new grpc.Metadata();
        initial.set("x-echo", call.metadata.get("x-asked").join());
        call.sendMetadata(initial);
        done(null, call.request, trailer);
      },
      serverStream: (call: grpc.ServerWritableStream<Uint8Array, Uint8Array>) => {
        for (let i = 0; i < 100; i++) call.write(Uint8Array.of(i));
        call.end();
      },
      clientStream: (
        call: grpc.ServerReadableStream<Uint8Array, Uint8Array>,
        done: grpc.sendUnaryData<Uint8Array>,
      ) => {
        let count = 0;
        call.on("data", () => count++);
        call.on("end", () => done(null, Uint8Array.of(count)));
      },
      bidirectional: (call: grpc.ServerDuplexStream<Uint8Array, Uint8Array>) => {
        call.on("data", (message) => call.write(message));
        call.on("end", () => call.end());
      },
      fail: (_call: unknown, done: grpc.sendUnaryData<Uint8Array>) => {
        done({ code: grpc.status.FAILED_PRECONDITION, details: "not like this: ü" });
      },
      hang: (call: grpc.ServerUnaryCall<Uint8Array, Uint8Array>) => {
        call.on("cancelled", () => this.cancelled++);
      },
    };
  }
}

for (const transport of ["own", "node"] as const) {
  const claim = (name: string, fn: (stage: Stage) => Promise<void>) =>
    Deno.test({
      name: `gRPC through "${transport}": ${name}`,
      // grpc-js keeps timers of its own after a client is closed.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => {
        await using stage = await new Stage().start(transport);
        await fn(stage);
      },
    });

  claim("unary calls carry metadata and trailers both ways", async (stage) => {
    const metadata = new grpc.Metadata();
    metadata.set("x-asked", "value");
    const { reply, trailer, headers } = await stage.unary("unary", Uint8Array.of(1, 2), {
      metadata,
    });
    assert.deepEqual([...reply], [1, 2]);
    assert.deepEqual(headers.get("x-echo"), ["value"]);
    assert.deepEqual(trailer.get("x-trailer-bin"), [Buffer.from([0, 255, 10])]);
    assert.equal((await stage.proxy.request()).grpcStatus, "0");
  });

  claim("a status other than OK arrives with its message", async (stage) => {
    await assert.rejects(stage.unary("fail", Uint8Array.of(1)), {
      code: grpc.status.FAILED_PRECONDITION,
      details: "not like this: ü",
    });
    assert.equal((await stage.proxy.request()).grpcStatus, "9");
  });

  claim("messages of 8 MB pass in both directions", async (stage) => {
    const message = new Uint8Array(8 * 1024 * 1024).map((_, i) => i * 31);
    const { reply } = await stage.unary("unary", message);
    assert.ok(Buffer.from(reply).equals(message));
  });

  claim("streams of the server, the client and both pass in order", async (stage) => {
    const { client } = stage;
    const server = client.makeServerStreamRequest(
      SERVICE.serverStream.path,
      octets.serialize,
      octets.deserialize,
      new Uint8Array(0),
    );
    const received: number[] = [];
    for await (const message of server) received.push(message[0]);
    assert.deepEqual(received, Array.from({ length: 100 }, (_, i) => i));

    const counted = Promise.withResolvers<number>();
    const upload = client.makeClientStreamRequest(
      SERVICE.clientStream.path,
      octets.serialize,
      octets.deserialize,
      (error, value) => error ? counted.reject(error) : counted.resolve(value?.[0] ?? 0),
    );
    for (let i = 0; i < 77; i++) upload.write(Uint8Array.of(i));
    upload.end();
    assert.equal(await withinDeadline(counted.promise, "the count"), 77);

    const both = client.makeBidiStreamRequest(
      SERVICE.bidirectional.path,
      octets.serialize,
      octets.deserialize,
    );
    const echoes = both[Symbol.asyncIterator]();
    for (let i = 0; i < 20; i++) {
      both.write(Uint8Array.of(i));
      assert.equal((await withinDeadline(echoes.next(), "an echo")).value[0], i);
    }
    both.end();
    assert.equal((await withinDeadline(echoes.next(), "the end")).done, true);
  });

  claim("a deadline cancels the call on the server", async (stage) => {
    await assert.rejects(stage.unary("hang", Uint8Array.of(1), { deadline: 200 }), {
      code: grpc.status.DEADLINE_EXCEEDED,
    });
    await withinDeadline(until(() => stage.cancelled === 1), "the server hears of it");
    assert.equal((await stage.proxy.request()).status, 499);
  });

  claim("1,000 calls at once are all answered", async (stage) => {
    const calls = Array.from({ length: 1000 }, (_, i) => stage.unary("unary", Uint8Array.of(i)));
    const replies = await Promise.all(calls);
    replies.forEach(({ reply }, i) => assert.equal(reply[0], i & 255));
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function asIs(bytes: Uint8Array): Uint8Array {
  return bytes;
}
