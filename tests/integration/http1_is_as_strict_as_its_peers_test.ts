import assert from "node:assert/strict";
import { startBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { testWithCommands } from "../support/commands.ts";
import { startHaproxy, startNginx } from "../support/foreign_servers.ts";
import { connectRawTls, startL7 } from "../support/l7.ts";
import type { Peer } from "../support/peer.ts";
import { unusedPorts } from "../support/ports.ts";

/** What became of a request: it went to the backend, or it was answered or cut on the way. */
type Fate = "forwarded" | "refused";

const lines = (...of: string[]) => `${of.join("\r\n")}\r\n\r\n`;
const get = (...fields: string[]) => lines("GET / HTTP/1.1", "Host: a.test", ...fields);
const post = (...fields: string[]) => lines("POST / HTTP/1.1", "Host: a.test", ...fields);
const chunked = post("Transfer-Encoding: chunked");

/** What nginx and HAProxy agree on is what we do, too. */
const REQUESTS: Readonly<Record<string, string>> = {
  "nothing special": get(),
  "a method of WebDAV": lines("VERSION-CONTROL / HTTP/1.1", "Host: a.test"),
  "a method that nobody knows": lines("FOO / HTTP/1.1", "Host: a.test"),
  "a later minor version": lines("GET / HTTP/1.2", "Host: a.test"),
  "HTTP/2.0": lines("GET / HTTP/2.0", "Host: a.test"),
  "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "no version": lines("GET /"),
  "an empty line before it": `\r\n${get()}`,
  "an absolute target": lines("GET http://a.test/x HTTP/1.1", "Host: a.test"),
  "no Host": lines("GET / HTTP/1.1"),
  "values beyond ASCII": get("X-A: \xe4\xf6"),
  "a name with a space before the colon": get("X-A : 1"),
  "a name beyond ASCII": get("X-\xe4: 1"),
  "a line without a colon": get("X-A"),
  "a NUL in a value": get("X-A: \0"),
  "a bare carriage return in a value": get("X-A: 1\rX-B: 2"),
  "Content-Length with Transfer-Encoding": post("Content-Length: 5", "Transfer-Encoding: chunked"),
  "two different Content-Lengths": post("Content-Length: 0", "Content-Length: 5"),
  "a signed Content-Length": post("Content-Length: +5"),
  "a hexadecimal Content-Length": post("Content-Length: 0x5"),
  "a Content-Length that overflows": post(`Content-Length: ${"9".repeat(30)}`),
  "an unknown coding": post("Transfer-Encoding: x"),
  "a coding before chunked": post("Transfer-Encoding: gzip, chunked"),
  "chunked twice": post("Transfer-Encoding: chunked, chunked"),
  "Transfer-Encoding in HTTP/1.0": lines(
    "POST / HTTP/1.0",
    "Host: a.test",
    "Transfer-Encoding: chunked",
  ),
  "chunks": `${chunked}5\r\nhello\r\n0\r\n\r\n`,
  "chunk extensions": `${chunked}5;a=b\r\nhello\r\n0\r\n\r\n`,
  "a head above 64 KiB": get(`X-A: ${"a".repeat(70_000)}`),
};

/** Where one of the two is stricter, we side with it, and why. */
const AS_THE_STRICTER: Readonly<Record<string, readonly [request: string, why: string]>> = {
  "a bare line feed": ["GET / HTTP/1.1\nHost: a.test\n\n", "RFC 9112 §2.2 lets two hops differ"],
  "two equal Content-Lengths": [
    `${post("Content-Length: 5", "Content-Length: 5")}hello`,
    "no client sends them but to be read differently",
  ],
  "a folded line": [get("X-A: 1", " folded"), "RFC 9112 §5.2"],
  "two Hosts": [get("Host: a.test"), "RFC 9112 §3.2"],
  "a target with a fragment": [
    lines("GET /#x HTTP/1.1", "Host: a.test"),
    "CVE-2023-45539: two hops see two paths",
  ],
};

/** Long after every answer that is going to come, in milliseconds. */
const QUIET_MS = 500;

/** Sends a request and sees what becomes of it. */
async function fateOf(
  request: string,
  connect: () => Promise<Peer>,
  asked: () => number,
): Promise<Fate> {
  const before = asked();
  await using peer = await connect();
  // Who refuses may close before all of it was sent.
  await peer.write(Uint8Array.from(request, (character) => character.charCodeAt(0)))
    .catch(() => {});
  let over = false;
  peer.ending.then(() => over = true);
  // Whoever neither forwards nor answers waits for more: for half a second, then it is refused.
  for (let ms = 0; ms < QUIET_MS && !over && asked() === before && peer.text === ""; ms += 10) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return asked() > before ? "forwarded" : "refused";
}

testWithCommands(
  ["nginx", "haproxy"],
  "requests that nginx and HAProxy agree on have the same fate here",
  async (t) => {
    let asked = 0;
    await using backend = await startBackend({
      onConnection({ socket }) {
        socket.once("data", () => {
          asked++;
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
          socket.end();
        });
      },
    });
    const [nginxPort = 0, haproxyPort = 0] = await unusedPorts(2);
    await using _nginx = await startNginx({
      port: nginxPort,
      config: `http { access_log off; client_body_temp_path %DIR%; proxy_temp_path %DIR%;
fastcgi_temp_path %DIR%; uwsgi_temp_path %DIR%; scgi_temp_path %DIR%;
server { listen 127.0.0.1:${nginxPort}; location / { proxy_http_version 1.1;
proxy_request_buffering off; proxy_pass http://${backend.address}; } } }`,
    });
    await using _haproxy = await startHaproxy({
      port: haproxyPort,
      config: `frontend f
  mode http
  bind 127.0.0.1:${haproxyPort}
  default_backend b
backend b
  mode http
  server s ${backend.address}\n`,
    });
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "http1" },
    });
    const count = () => asked;
    const fates = async (request: string) => ({
      ours: await fateOf(request, () => connectRawTls(proxy), count),
      nginx: await fateOf(request, () => connectRaw({ port: nginxPort }), count),
      haproxy: await fateOf(request, () => connectRaw({ port: haproxyPort }), count),
    });
    for (const [name, request] of Object.entries(REQUESTS)) {
      await t.step(name, async () => {
        const { ours, nginx, haproxy } = await fates(request);
        assert.ok(ours === nginx || ours === haproxy, `nobody else does: ${ours}`);
        if (nginx === haproxy) assert.equal(ours, nginx);
      });
    }
    for (const [name, [request, why]] of Object.entries(AS_THE_STRICTER)) {
      await t.step(`${name} (${why})`, async () => {
        const { ours } = await fates(request);
        assert.equal(ours, "refused");
      });
    }
  },
);
