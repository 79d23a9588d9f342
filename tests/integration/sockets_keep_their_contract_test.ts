import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { chooseSockets, createSockets, SOCKETS_KINDS, type TcpStream } from "../../lib/tcp/mod.ts";
import { HandleSockets } from "../../lib/tcp/handle_sockets.ts";
import { loadBinding, type TcpBinding, type TcpHandle } from "../../lib/tcp/_binding.ts";
import { testSockets } from "../contract/sockets.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { testWithCommands } from "../support/commands.ts";
import { withinDeadline } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { startProxy } from "../support/proxy.ts";

for (const kind of SOCKETS_KINDS) testSockets(kind);

Deno.test("chooseSockets() finds the handles of this runtime as they are known", async () => {
  assert.deepEqual(await chooseSockets("auto"), { kind: "handles" });
  assert.deepEqual(await chooseSockets("node"), { kind: "node" });
});

/** What a later runtime may do to us, and what a start then has to notice. */
const CHANGES: Readonly<Record<string, { change: () => TcpBinding; problem: RegExp }>> = {
  "the binding is gone": {
    change: () => loadBinding({ binding: () => ({}) }),
    problem: /tcp_wrap has no TCP/,
  },
  "queued writes are told elsewhere": {
    change: () => ({ ...loadBinding(), QUEUED: 1 }),
    problem: /taken at once/,
  },
  "a reset is a plain close": {
    change: () => changedHandles((handle) => handle.reset = () => 0),
    problem: /RST/,
  },
  "a FIN is not sent": {
    change: () => changedHandles((handle) => handle.shutdown = () => 0),
    problem: /FIN after three octets/,
  },
};

function changedHandles(change: (handle: TcpHandle) => void): TcpBinding {
  const binding = loadBinding();
  return {
    ...binding,
    create() {
      const handle = binding.create();
      change(handle);
      return handle;
    },
  };
}

for (const [name, { change, problem }] of Object.entries(CHANGES)) {
  Deno.test(`chooseSockets() takes node:net and says why when ${name}`, async () => {
    const { kind, problem: said } = await chooseSockets("auto", {
      binding: change,
      timeoutMs: 500,
    });
    assert.equal(kind, "node");
    assert.match(said ?? "", problem);
  });
}

Deno.test("the program serves on node:net where the configuration says so, and logs it once", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startProxy({
    config: {
      server: { workers: 2, sockets: "node" },
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{ hostname: "a.test", backend: backend.address }],
      }],
    },
  });
  const hello = buildClientHello({ serverName: "a.test" });
  await using client = await connectRaw({ port: proxy.port() });
  client.end(hello);
  assert.equal((await client.readToEnd()).bytes.length, hello.length);
  const said = proxy.events("node:net is used instead of the runtime's TCP handles");
  assert.equal(said.length, 1);
  assert.equal(await proxy.stop(), 0);
});

Deno.test("Nagle's algorithm is switched off before the second write, once", async () => {
  const asked: boolean[] = [];
  const binding = changedHandles((handle) => {
    const { setNoDelay } = handle;
    handle.setNoDelay = (on) => {
      asked.push(on);
      return setNoDelay.call(handle, on);
    };
  });
  const sockets = new HandleSockets(binding);
  const accepted = Promise.withResolvers<TcpStream>();
  const listener = await sockets.listen({ host: "127.0.0.1", port: 0 }, accepted.resolve);
  const stream = await new Promise<TcpStream>((onConnect, onFailure) =>
    sockets.connect("127.0.0.1", listener.port, { onConnect, onFailure })
  );
  stream.write(Uint8Array.of(1));
  assert.deepEqual(asked, [], "a stream of one write pays nothing");
  stream.write(Uint8Array.of(2));
  stream.write(Uint8Array.of(3));
  assert.deepEqual(asked, [true]);
  stream.close();
  (await accepted.promise).close();
  listener.close();
});

Deno.test("a connection that its handle does not get back is reset, and its owner is told", async () => {
  let refuses = false;
  const binding = changedHandles((handle) => {
    const movable = handle as TcpHandle & { open(fd: number): number };
    const { open } = movable;
    // The handle that a stream owns; what its connection is ended with has no owner.
    movable.open = (fd) => refuses && handle.owner !== undefined ? -24 : open.call(handle, fd);
  });
  const sockets = new HandleSockets(binding);
  const accepted = Promise.withResolvers<TcpStream>();
  const listener = await sockets.listen({ host: "127.0.0.1", port: 0 }, accepted.resolve);
  const client = await new Promise<TcpStream>((onConnect, onFailure) =>
    sockets.connect("127.0.0.1", listener.port, { onConnect, onFailure })
  );
  const server = await accepted.promise;
  const told = Promise.withResolvers<string>();
  const seen = Promise.withResolvers<string>();
  const silent = { onData() {}, onEnd() {}, onWriteError() {}, onDrain() {} };
  client.handler = { ...silent, onReadError: ({ code }) => told.resolve(code) };
  server.handler = { ...silent, onReadError: ({ code }) => seen.resolve(code) };
  refuses = true;
  client.resume();
  const given = Promise.withResolvers<void>();
  assert.equal(client.lend(new Uint8Array(24 << 20), given.resolve), false);
  assert.equal(await withinDeadline(told.promise, "the owner is told"), "EMFILE");
  assert.equal(client.closed, true);
  await withinDeadline(given.promise, "the lent memory comes back");
  server.resume();
  assert.equal(await withinDeadline(seen.promise, "the peer sees a RST"), "ECONNRESET");
  server.close();
  listener.close();
});

/** Takes one line after the other. */
function lineReader(stream: ReadableStream<Uint8Array>): () => Promise<string> {
  const chunks = stream.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = "";
  return async () => {
    for (;;) {
      const end = text.indexOf("\n");
      if (end >= 0) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        return line;
      }
      const { done, value } = await withinDeadline(chunks.next(), "a line", 30_000);
      if (done) throw new Error(`the end after ${JSON.stringify(text)}`);
      text += value;
    }
  };
}

for (const kind of SOCKETS_KINDS) {
  Deno.test(`${kind}: a thread that only connects loses nothing behind a FIN either`, async () => {
    const octets = 24 << 20;
    const received = Promise.withResolvers<number>();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      let count = 0;
      socket.end();
      socket.on("data", (bytes: Uint8Array) => count += bytes.length);
      socket.on("end", () => received.resolve(count));
      setTimeout(() => socket.resume(), 200);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    // Of its own: those of the contract suite have listened.
    const sockets = createSockets(kind);
    const stream = await new Promise<TcpStream>((onConnect, onFailure) =>
      sockets.connect("127.0.0.1", port, { onConnect, onFailure })
    );
    const ended = Promise.withResolvers<void>();
    const fail = ({ code }: { code: string }) => ended.reject(new Error(code));
    stream.handler = {
      onData() {},
      onEnd: ended.resolve,
      onReadError: fail,
      onWriteError: fail,
      onDrain() {},
    };
    assert.equal(stream.lend(new Uint8Array(octets), () => {}), false);
    stream.resume();
    await withinDeadline(ended.promise, "the FIN");
    stream.end();
    assert.equal(await withinDeadline(received.promise, "the other side's end"), octets);
    stream.close();
    server.close();
  });

  testWithCommands(
    ["sh"],
    `${kind}: accept(2) that fails for want of descriptors is told`,
    async () => {
      const script = fileURLToPath(new URL("../support/exhausted_listener.ts", import.meta.url));
      const limited = `ulimit -n 96; exec "$0" run --no-check --no-prompt -A "$1" ${kind}`;
      const child = new Deno.Command("sh", {
        args: ["-c", limited, Deno.execPath(), script],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const next = lineReader(child.stdout);
      const input = child.stdin.getWriter();
      const goOn = () => input.write(Uint8Array.of(10));
      const port = Number(await next());
      await goOn();
      assert.equal(await next(), "full");
      await using stack = new AsyncDisposableStack();
      for (let i = 0; i < 3; i++) stack.use(await connectRaw({ port }));
      await goOn();
      assert.deepEqual(JSON.parse(await next()), {
        whileFull: { codes: ["EMFILE", "EMFILE"], accepted: 0 },
        after: { codes: [], accepted: 3 },
      });
      await input.close();
      assert.equal((await child.status).code, 0);
    },
  );
}
