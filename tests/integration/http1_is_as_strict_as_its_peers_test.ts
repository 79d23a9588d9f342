import assert from "node:assert/strict";
import { startBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { testWithCommands } from "../support/commands.ts";
import { startHaproxy, startNginx } from "../support/foreign_servers.ts";
import { connectRawTls, startL7 } from "../support/l7.ts";
import type { Peer } from "../support/peer.ts";
import { unusedPorts } from "../support/ports.ts";

const lines = (...of: string[]) => `${of.join("\r\n")}\r\n\r\n`;
const get = (...fields: string[]) => lines("GET / HTTP/1.1", "Host: a.test", ...fields);
const post = (...fields: string[]) => lines("POST / HTTP/1.1", "Host: a.test", ...fields);
const chunked = post("Transfer-Encoding: chunked");

/** Who passes a request on; whoever is not named refuses it. */
type Passing = readonly ("ours" | "nginx" | "haproxy")[];
const ALL: Passing = ["ours", "nginx", "haproxy"];
const NONE: Passing = [];
const NGINX: Passing = ["nginx"];
const HAPROXY: Passing = ["haproxy"];

/** What becomes of each request, here and there: where the two differ we side with the stricter one. */
const REQUESTS: Readonly<Record<string, readonly [request: string, passing: Passing]>> = {
  "nothing special": [get(), ALL],
  "a method of WebDAV": [lines("VERSION-CONTROL / HTTP/1.1", "Host: a.test"), ALL],
  "a method that nobody knows": [lines("FOO / HTTP/1.1", "Host: a.test"), ALL],
  "a later minor version": [lines("GET / HTTP/1.2", "Host: a.test"), ALL],
  "HTTP/2.0": [lines("GET / HTTP/2.0", "Host: a.test"), HAPROXY],
  "the preface of HTTP/2": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NONE],
  "no version": [lines("GET /"), NGINX],
  "an empty line before it": [`\r\n${get()}`, ALL],
  "an absolute target": [lines("GET http://a.test/x HTTP/1.1", "Host: a.test"), ALL],
  "no Host": [lines("GET / HTTP/1.1"), HAPROXY],
  "values beyond ASCII": [get("X-A: \xe4\xf6"), ALL],
  "a name with a space before the colon": [get("X-A : 1"), NONE],
  "a name beyond ASCII": [get("X-\xe4: 1"), NGINX],
  "a line without a colon": [get("X-A"), NGINX],
  "a NUL in a value": [get("X-A: \0"), HAPROXY],
  "a bare carriage return in a value": [get("X-A: 1\rX-B: 2"), NONE],
  "Content-Length with Transfer-Encoding": [
    post("Content-Length: 5", "Transfer-Encoding: chunked"),
    HAPROXY,
  ],
  "two different Content-Lengths": [post("Content-Length: 0", "Content-Length: 5"), NONE],
  "a signed Content-Length": [post("Content-Length: +5"), NONE],
  "a hexadecimal Content-Length": [post("Content-Length: 0x5"), NONE],
  "a Content-Length that overflows": [post(`Content-Length: ${"9".repeat(30)}`), NONE],
  "an unknown coding": [post("Transfer-Encoding: x"), NONE],
  "a coding before chunked": [post("Transfer-Encoding: gzip, chunked"), NONE],
  "chunked twice": [post("Transfer-Encoding: chunked, chunked"), NONE],
  "Transfer-Encoding in HTTP/1.0": [
    lines("POST / HTTP/1.0", "Host: a.test", "Transfer-Encoding: chunked"),
    HAPROXY,
  ],
  "chunks": [`${chunked}5\r\nhello\r\n0\r\n\r\n`, ALL],
  "chunk extensions": [`${chunked}5;a=b\r\nhello\r\n0\r\n\r\n`, ALL],
  "a head above 64 KiB": [get(`X-A: ${"a".repeat(70_000)}`), NONE],
  "two equal Content-Lengths (no client sends them but to be read differently)": [
    `${post("Content-Length: 5", "Content-Length: 5")}hello`,
    HAPROXY,
  ],
  "a folded line (RFC 9112 §5.2)": [get("X-A: 1", " folded"), HAPROXY],
  "two Hosts (RFC 9112 §3.2)": [get("Host: a.test"), HAPROXY],
  "a target with a fragment (CVE-2023-45539: two hops see two paths)": [
    lines("GET /#x HTTP/1.1", "Host: a.test"),
    NGINX,
  ],
};

/** What we refuse although both pass it on, and why. */
const STRICTER_THAN_BOTH: Readonly<Record<string, readonly [request: string, why: string]>> = {
  "a bare line feed": ["GET / HTTP/1.1\nHost: a.test\n\n", "RFC 9112 §2.2 lets two hops differ"],
};

/** Long after every answer that is going to come, in milliseconds, and the same on a busy machine. */
const QUIET_MS = 500;
const PATIENT_MS = 5000;

/** Sends a request; whether it comes to the backend, or is answered, cut or left waiting. */
async function isPassedOn(
  request: string,
  { connect, asked, quietMs = QUIET_MS }: {
    readonly connect: () => Promise<Peer>;
    readonly asked: () => number;
    readonly quietMs: number | undefined;
  },
): Promise<boolean> {
  const before = asked();
  await using peer = await connect();
  // Who refuses may close before all of it was sent.
  await peer.write(Uint8Array.from(request, (character) => character.charCodeAt(0)))
    .catch(() => {});
  let over = false;
  peer.ending.then(() => over = true);
  for (let ms = 0; ms < quietMs && !over && asked() === before && peer.text === ""; ms += 10) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return asked() > before;
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
    const connect = {
      ours: () => connectRawTls(proxy),
      nginx: () => connectRaw({ port: nginxPort }),
      haproxy: () => connectRaw({ port: haproxyPort }),
    };
    const passing = async (request: string, quietMs?: number) => {
      const found: string[] = [];
      for (const [name, open] of Object.entries(connect)) {
        if (await isPassedOn(request, { connect: open, asked: () => asked, quietMs })) {
          found.push(name);
        }
      }
      return found;
    };
    const expectPassing = async (request: string, wanted: Passing) => {
      const found = await passing(request);
      if (found.join() === wanted.join()) return;
      // On a busy machine one of them may be late: only what lasts counts.
      assert.deepEqual(await passing(request, PATIENT_MS), wanted);
    };
    for (const [name, [request, wanted]] of Object.entries(REQUESTS)) {
      assert.equal(wanted.includes("ours"), wanted.length === 3, "we side with the stricter one");
      await t.step(name, () => expectPassing(request, wanted));
    }
    for (const [name, [request, why]] of Object.entries(STRICTER_THAN_BOTH)) {
      await t.step(`${name} (${why})`, () => expectPassing(request, ["nginx", "haproxy"]));
    }
  },
);
