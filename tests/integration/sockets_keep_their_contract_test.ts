import assert from "node:assert/strict";
import { chooseSockets, SOCKETS_KINDS, type TcpStream } from "../../lib/tcp/mod.ts";
import { HandleSockets } from "../../lib/tcp/handle_sockets.ts";
import { loadBinding, type TcpBinding, type TcpHandle } from "../../lib/tcp/_binding.ts";
import { testSockets } from "../contract/sockets.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
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
