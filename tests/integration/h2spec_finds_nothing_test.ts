import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { H2Stream } from "../../lib/h2/mod.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { attachSession } from "../support/h2_socket.ts";
import { startHttpBackend, startL7 } from "../support/l7.ts";

/** How long h2spec waits for an answer, in seconds. */
const ANSWER_S = 5;

/**
 * What h2spec 2 asks for and RFC 9113 has no more: streams depend on none (§5.3.1: the scheme of
 * RFC 7540 is deprecated, and what is left of its frames is ignored).
 */
const OBSOLETE = [
  "Sends HEADERS frame that depend on itself",
  "Sends PRIORITY frame that depend on itself",
];

/** Runs all cases against a server; those that fail, by their words. */
async function failures(args: readonly string[]): Promise<string[]> {
  const { stdout } = await runCommand("h2spec", [...args, "-o", String(ANSWER_S)]);
  const [, ran, failed] = /(\d+) tests, \d+ passed, \d+ skipped, (\d+) failed/.exec(stdout) ?? [];
  assert.ok(Number(ran) >= 140, stdout.slice(-2000));
  const [, list = ""] = stdout.split("Failures:");
  const names = [...list.matchAll(/× \d+: (.*)/g)].map(([, name = ""]) => name.trim());
  assert.equal(names.length, Number(failed));
  return names;
}

testWithCommands(
  ["h2spec"],
  "h2spec finds nothing in the HTTP/2 core that RFC 9113 holds",
  async () => {
    const sockets = new Set<Socket>();
    const answer = (stream: H2Stream) => {
      stream.respond({ status: 200, fields: ["content-type", "text/plain"] });
      stream.sendData(new TextEncoder().encode("hello"), true);
    };
    const server = createServer({ allowHalfOpen: false }, (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      attachSession(socket, "server", {
        onRequest: (stream, _head, endStream) => endStream && answer(stream),
        onData(stream, bytes, endStream) {
          stream.consume(bytes.length);
          if (endStream) answer(stream);
        },
        onTrailers: answer,
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    assert.deepEqual(await failures(["-h", "127.0.0.1", "-p", String(port)]), OBSOLETE);
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  },
);

testWithCommands(
  ["h2spec"],
  "h2spec finds nothing in an l7 route that RFC 9113 holds",
  async () => {
    await using backend = await startHttpBackend("http1", (request, response) => {
      request.resume();
      request.on("end", () => response.end("hello"));
    });
    await using proxy = await startL7({
      backend: backend.address,
      route: { hostname: "localhost" },
    });
    const args = ["-h", "localhost", "-p", String(proxy.port), "-t", "-k"];
    assert.deepEqual(await failures(args), OBSOLETE);
  },
);
