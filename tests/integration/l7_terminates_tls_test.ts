import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from "node:net";
import { connect as connectSecure, type ConnectionOptions } from "node:tls";
import { startTlsBackend } from "../support/backends.ts";
import { connectRaw, connectTls } from "../support/clients.ts";
import { testWithCommands } from "../support/commands.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";
import {
  connectHttp1,
  connectRawTls,
  HOST,
  identity,
  startHttpBackend,
  startL7,
} from "../support/l7.ts";

const GET = [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", "/"];
const OK = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

async function connect(
  port: number,
  options: Omit<ConnectionOptions, "port" | "host" | "servername">,
) {
  const { ca } = await identity();
  return await connectTls({ port, servername: HOST, ca, ...options });
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  Deno.test(`${version} is terminated, whatever the client offers as its protocol`, async () => {
    await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
    await using proxy = await startL7({ backend: backend.address });
    const versions = { minVersion: version, maxVersion: version };
    for (const ALPNProtocols of [["http/1.1"], ["h2", "http/1.1"], undefined]) {
      await using peer = await connect(proxy.port, {
        ...versions,
        ...ALPNProtocols !== undefined && { ALPNProtocols },
      });
      assert.equal(peer.socket.getProtocol(), version);
      if (ALPNProtocols?.includes("h2")) {
        assert.equal(peer.alpnProtocol, "h2");
      } else {
        await peer.write(OK);
        assert.match((await peer.readToEnd()).text, /^HTTP\/1\.1 200 OK/);
      }
    }
  });
}

Deno.test("a client that offers only other protocols gets no HTTP", async () => {
  await using proxy = await startL7({ backend: "127.0.0.1:1" });
  await assert.rejects(connect(proxy.port, { ALPNProtocols: ["spdy/3"] }));
  assert.equal((await proxy.event()).outcome, "tls_failed");
});

Deno.test("a handshake that breaks off or fails is closed without a word of HTTP", async () => {
  await using proxy = await startL7({ backend: "127.0.0.1:1", handshakes: { timeoutMs: 300 } });
  const hello = buildClientHello({ serverName: HOST });
  await using garbage = await connectRaw(proxy);
  await garbage.write(hello);
  await garbage.write("GET / HTTP/1.1\r\n\r\n");
  assert.equal((await garbage.readToEnd()).text.includes("HTTP"), false);
  assert.equal((await proxy.event(0)).outcome, "tls_failed");
  await using slow = await connectRaw(proxy);
  await slow.write(hello);
  assert.equal((await slow.readToEnd()).text.includes("HTTP"), false);
  assert.equal((await proxy.event(1)).outcome, "tls_timeout");
  await using gone = await connectRaw(proxy);
  await gone.write(hello);
  gone.reset();
  await withinDeadline(gone.closed, "the client is gone");
  assert.equal((await proxy.event(2)).outcome, "client_gone");
});

Deno.test("l4 and l7 routes share a listener, and l4 is not touched", async () => {
  const { certPem, keyPem } = await identity();
  await using plain = await startHttpBackend("http1", (_, response) => response.end("http"));
  await using secure = await startTlsBackend("relayed", { certPem, keyPem });
  await using proxy = await startL7({
    backend: plain.address,
    moreRoutes: [{ hostname: "b.test", backend: secure.address, mode: "l4" }],
  });
  await using l4 = await connectTls({
    port: proxy.port,
    servername: "b.test",
    ca: (await identity()).ca,
  });
  assert.equal(await l4.readText(8), "relayed\n");
  await using l7 = await connectHttp1(proxy);
  assert.equal((await l7.ask()).body, "http");
});

Deno.test("a ClientHello in one-octet segments is handed over once and whole", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
  await using proxy = await startL7({ backend: backend.address });
  // The client's socket is cut into single octets by a relay in between.
  const relay = createServer({ allowHalfOpen: true }, (near) => {
    const far = connectSocket(proxy.port, "127.0.0.1");
    near.on("error", () => {});
    far.on("error", () => {});
    far.setNoDelay(true);
    near.on("data", (chunk: Uint8Array) => {
      for (const octet of chunk) far.write(Uint8Array.of(octet));
    });
    far.pipe(near);
    near.on("end", () => far.end());
  });
  relay.listen(0, "127.0.0.1");
  await new Promise((resolve) => relay.once("listening", resolve));
  const { port } = relay.address() as { port: number };
  const { ca } = await identity();
  const socket = connectSecure({ port, host: "127.0.0.1", servername: HOST, ca });
  socket.on("error", () => {});
  await withinDeadline(new Promise((resolve) => socket.once("secureConnect", resolve)), "TLS");
  let text = "";
  socket.on("data", (chunk) => text += chunk);
  socket.write(OK);
  await withinDeadline(new Promise((resolve) => socket.once("close", resolve)), "the end");
  assert.match(text, /^HTTP\/1\.1 200 OK/);
  const closed = new Promise((resolve) => relay.close(resolve));
  await withinDeadline(closed, "the relay closes");
});

testWithCommands(
  ["openssl"],
  "a TLS session is resumed under its own name, and not under that of another route",
  async () => {
    using folder = temporaryFolder();
    await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
    await using proxy = await startL7({
      backend: backend.address,
      moreRoutes: [{ hostname: "b.test", backend: backend.address, mode: "l7" }],
    });
    for (const version of ["tls1_2", "tls1_3"]) {
      const session = `${folder.path}/${version}`;
      const connect = (servername: string, file: string) =>
        openssl(
          [
            "-connect",
            `127.0.0.1:${proxy.port}`,
            "-servername",
            servername,
            `-${version}`,
            file,
            session,
          ],
          // The tickets of TLS 1.3 follow the handshake, whenever that is.
          () => existsSync(session),
        );
      assert.equal(await connect(HOST, "-sess_out"), "New", version);
      assert.equal(await connect(HOST, "-sess_in"), "Reused", version);
      assert.equal(await connect("b.test", "-sess_in"), "New", version);
    }
  },
);

/** A handshake of OpenSSL's client, which stays until `isOver`; whether its session was a new one. */
async function openssl(
  args: readonly string[],
  isOver: () => boolean,
): Promise<string | undefined> {
  const child = new Deno.Command("openssl", {
    args: ["s_client", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  const reading = (async () => {
    for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) text += piece;
  })();
  const kind = () => /^(New|Reused), TLSv/m.exec(text)?.[1];
  await eventually(() => kind() !== undefined && isOver(), "the handshake is over");
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("Q\n"));
  await writer.close();
  await Promise.all([reading, child.status]);
  return kind();
}

for (const alpn of ["http/1.1", "h2"]) {
  Deno.test(`a connection of ${alpn} that an operator cuts ends in the middle of an answer`, async () => {
    // Not node:http, whose server is not told of the end.
    const open = new Set<Socket>();
    let isAsked = false;
    const server = createServer((socket) => {
      open.add(socket.on("error", () => {}).on("close", () => open.delete(socket)));
      socket.once("data", (octets) => {
        isAsked ||= octets.toString().startsWith("GET ");
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    using _server = { [Symbol.dispose]: () => void server.close() };
    const backend = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using proxy = await startL7({ backend });
    await using peer = await connectRawTls({ port: proxy.port, alpn });
    if (alpn === "h2") {
      const client = await RawHttp2Client.over(peer);
      await client.write(client.headers(1, GET, true));
    } else await peer.write(OK);
    await eventually(() => isAsked, "the request arrives");
    assert.equal(await proxy.plane.closeConnections({ client: "127.0.0.1" }), 1);
    await withinDeadline(peer.ending, "the client is cut off");
    await eventually(() => open.size === 0, "the backend hears of it");
    assert.equal((await proxy.event()).outcome, "closed_by_operator");
  });
}

Deno.test("a drain lets requests finish, tells h2 and h1 clients, and then ends", async () => {
  const answer = Promise.withResolvers<void>();
  await using backend = await startHttpBackend("http1", async (_, response) => {
    await answer.promise;
    response.end("ok");
  });
  await using proxy = await startL7({ backend: backend.address });
  await using http1 = await connectHttp1(proxy);
  await using idle = await connectRawTls(proxy);
  await using http2 = await RawHttp2Client.connect(proxy.port);
  const pending = http1.ask();
  await http2.write(http2.headers(1, GET, true));
  await eventually(() => backend.connections > 1, "both requests arrive");
  const drained = proxy.plane.drain(10_000);
  await withinDeadline(idle.ending, "the idle connection is closed");
  await eventually(() => http2.isGoingAway, "a GOAWAY, before the answer");
  assert.deepEqual(http2.frames(1), []);
  answer.resolve();
  const { status, headers } = await pending;
  assert.deepEqual([status, headers["connection"]], [200, "close"]);
  assert.equal(await http2.answer(1), "200");
  await withinDeadline(http2.peer.ending, "the connection ends with its last answer");
  await withinDeadline(drained, "the plane is drained");
});
