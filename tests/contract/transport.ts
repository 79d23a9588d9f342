/**
 * What every transport to a backend has to do, whoever does the framing.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { RequestInit } from "../../lib/h2/mod.ts";
import type { BackendDialerOptions } from "../../lib/l7/backend_dialer.ts";
import type { BackendStream } from "../../lib/l7/message.ts";
import type { Expectation } from "../../lib/upstream/mod.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { type BackendKind, type Handler, startHttpBackend } from "../support/l7.ts";
import { unusedPort } from "../support/ports.ts";
import { acquire, ended, headOf, poolFor, Recorder } from "../support/recorded_answers.ts";

/** A transport under test: the server it speaks to, and how a pool is told to use it. */
export interface TransportCase {
  readonly name: string;
  readonly kind: BackendKind;
  readonly expects: Expectation;
  readonly h2Transport: BackendDialerOptions["h2Transport"];
}

/** More than all buffers on the way: kernel, Node's streams, and flow control windows. */
const MORE_THAN_BUFFERS = 24 * 1024 * 1024;
/** The most that may be handed over and not consumed: a window of HTTP/2, or a gate and a read. */
const MAX_UNCONSUMED = 1024 * 1024;

/** RFC 9113 §7. */
const INTERNAL_ERROR = 2;

/** Runs the suite for one transport. */
export function testTransport({ name, kind, expects, h2Transport }: TransportCase): void {
  const poolOf = (port: number) => poolFor(port, { expects, h2Transport });
  const claim = (
    text: string,
    handler: Handler,
    body: (send: Sender) => Promise<void>,
  ) =>
    Deno.test(`${name}: ${text}`, async () => {
      await using server = await startHttpBackend(kind, handler);
      const pool = poolOf(server.port);
      try {
        await body(async (recorder, head, endStream = true) => {
          const lease = await acquire(pool);
          recorder.onOver = () => lease.release();
          return recorder.send(lease.link, head, endStream);
        });
      } finally {
        pool.destroy("the test is over");
        await eventually(() => server.open === 0 && pool.size === 0, "the connections close");
      }
    });

  claim("a response is a head, content and one end", ok("hello"), async (send) => {
    const recorder = new Recorder();
    await send(recorder, headOf());
    await ended(recorder);
    assert.deepEqual(recorder.heads.map(({ status }) => status), [200]);
    assert.equal(new TextDecoder().decode(recorder.body), "hello");
    assert.deepEqual([recorder.ends, recorder.failures], [1, []]);
  });

  claim(
    "fields keep their order and their duplicates, and lose those of the connection",
    (request, response) => {
      response.setHeader("set-cookie", ["a=1", "b=2"]);
      response.setHeader("x-got", request.rawHeaders.filter((_, i) => i % 2 === 0).join());
      response.end();
    },
    async (send) => {
      const recorder = new Recorder();
      const fields = ["x-a", "1", "accept", "*/*", "x-a", "2", "__proto__", "3"];
      await send(recorder, headOf({ fields }));
      await ended(recorder);
      const { fields: got = [] } = recorder.heads[0] ?? {};
      const cookies = got.filter((_, i) => got[i - 1] === "set-cookie");
      assert.deepEqual(cookies, ["a=1", "b=2"]);
      assert.equal(
        got.some((text) => text === "connection" || text === "transfer-encoding"),
        false,
      );
      const seen = got[got.indexOf("x-got") + 1] ?? "";
      assert.match(seen.toLowerCase(), /x-a,accept,(x-a,)?__proto__/);
    },
  );

  claim("a response without content ends with its head", (request, response) => {
    response.statusCode = request.url === "/204" ? 204 : 200;
    response.end();
  }, async (send) => {
    for (const head of [headOf({ method: "HEAD" }), headOf({ path: "/204" })]) {
      const recorder = new Recorder();
      await send(recorder, head);
      await ended(recorder);
      assert.deepEqual([recorder.heads.length, recorder.received, recorder.ends], [1, 0, 1]);
    }
  });

  claim("content goes out as it is given, with a length and without", echo, async (send) => {
    for (const fields of [[], ["content-length", "10"]]) {
      const recorder = new Recorder();
      const stream = await send(recorder, headOf({ method: "POST", fields }), false);
      stream.sendData(new TextEncoder().encode("hello"), false);
      stream.sendData(new TextEncoder().encode("world"), true);
      await ended(recorder);
      assert.equal(new TextDecoder().decode(recorder.body), "helloworld");
    }
  });

  claim("trailers pass both ways", (request, response) => {
    request.resume();
    request.on("end", () => {
      response.setHeader("trailer", "x-sum");
      response.write("x");
      response.addTrailers({ "x-sum": `got ${request.trailers["x-check"]}` });
      response.end();
    });
  }, async (send) => {
    const recorder = new Recorder();
    const stream = await send(recorder, headOf({ method: "POST" }), false);
    stream.sendData(new TextEncoder().encode("content"), false);
    stream.sendTrailers(["x-check", "7"]);
    await ended(recorder);
    assert.deepEqual(recorder.trailers, ["x-sum", "got 7"]);
  });

  claim("an informational head comes before the final one", (_, response) => {
    response.writeEarlyHints({ link: "</a.css>; rel=preload" });
    response.end("ok");
  }, async (send) => {
    const recorder = new Recorder();
    await send(recorder, headOf());
    await ended(recorder);
    assert.deepEqual(recorder.heads.map(({ status }) => status), [103, 200]);
    assert.ok(recorder.heads[0]?.fields.includes("</a.css>; rel=preload"));
  });

  claim("content that is not consumed stops the backend, and nothing is lost", (_, response) => {
    const chunk = new Uint8Array(64 * 1024);
    let left = MORE_THAN_BUFFERS / chunk.length;
    const write = () => {
      while (left-- > 0) if (!response.write(chunk)) return void response.once("drain", write);
      response.end();
    };
    write();
  }, async (send) => {
    const recorder = new Recorder(false);
    const stream = await send(recorder, headOf());
    await eventually(() => recorder.received > 0, "content");
    let before = -1;
    while (before !== recorder.received) {
      before = recorder.received;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(recorder.received <= MAX_UNCONSUMED, `${recorder.received} octets unconsumed`);
    let consumed = 0;
    while (!recorder.over) {
      stream.consume(recorder.received - consumed);
      consumed = recorder.received;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    assert.deepEqual([recorder.received, recorder.failures], [MORE_THAN_BUFFERS, []]);
  });

  const unread = { resume: () => {} };
  claim("a backend that does not read makes sendData() ask for a pause", (request, response) => {
    request.pause();
    unread.resume = () => {
      let count = 0;
      request.on("data", (chunk: Uint8Array) => count += chunk.length);
      request.on("end", () => response.end(String(count)));
      request.resume();
    };
  }, async (send) => {
    const recorder = new Recorder();
    const stream = await send(recorder, headOf({ method: "POST" }), false);
    const chunk = new Uint8Array(64 * 1024);
    let sent = 0;
    const deadline = performance.now() + 10_000;
    let room = true;
    while (room && sent < MORE_THAN_BUFFERS) {
      room = stream.sendData(chunk, false);
      sent += chunk.length;
      // What the kernel takes is not the transport's to bound.
      if (!room) await new Promise((resolve) => setTimeout(resolve, 20));
      if (!room && recorder.drains > 0) [room, recorder.drains] = [true, 0];
      assert.ok(performance.now() < deadline, "it takes everything");
    }
    assert.ok(sent < MORE_THAN_BUFFERS, "it asked for a pause");
    unread.resume();
    await eventually(() => recorder.drains > 0, "onDrain()");
    stream.sendData(new Uint8Array(0), true);
    await ended(recorder);
    assert.equal(new TextDecoder().decode(recorder.body), String(sent));
  });

  const gone = Promise.withResolvers<void>();
  claim(
    "a reset ends the request at the backend, and nothing more is told",
    (request, response) => {
      response.on("close", () => gone.resolve());
      request.on("error", () => {});
      response.write("x");
    },
    async (send) => {
      const recorder = new Recorder();
      const stream = await send(recorder, headOf());
      await eventually(() => recorder.received > 0, "content");
      stream.reset(8);
      await withinDeadline(gone.promise, "the backend hears of it");
      assert.deepEqual([recorder.ends, recorder.failures], [0, []]);
    },
  );

  claim("a response that breaks off is one failure and no end", (_, response) => {
    response.write("half");
    const breakOff = () =>
      kind === "h2c" ? response.stream.close(INTERNAL_ERROR) : response.destroy();
    setTimeout(breakOff, 20);
  }, async (send) => {
    const recorder = new Recorder();
    await send(recorder, headOf());
    await ended(recorder);
    assert.deepEqual([recorder.ends, recorder.failures.length], [0, 1]);
    assert.equal(recorder.failures[0]?.kind, "reset");
    assert.equal(recorder.failures[0]?.unprocessed, false);
  });

  claim("a response shorter than it declared is a failure", (_, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half");
    setTimeout(() => response.destroy(), 20);
  }, async (send) => {
    const recorder = new Recorder();
    await send(recorder, headOf());
    await ended(recorder);
    assert.deepEqual([recorder.ends, recorder.failures.length], [0, 1]);
  });

  claim("many requests at once get their own answers", (request, response) => {
    setTimeout(() => response.end(request.url), 5);
  }, async (send) => {
    const recorders = Array.from({ length: 50 }, () => new Recorder());
    await Promise.all(recorders.map((recorder, i) => send(recorder, headOf({ path: `/${i}` }))));
    for (const [i, recorder] of recorders.entries()) {
      await ended(recorder);
      assert.equal(new TextDecoder().decode(recorder.body), `/${i}`);
    }
  });

  Deno.test(`${name}: nobody listening is an unreachable backend, and says so`, async () => {
    const pool = poolOf(await unusedPort());
    await assert.rejects(acquire(pool), { kind: "unreachable" });
    pool.destroy("the test is over");
  });
}

type Sender = (
  recorder: Recorder,
  head: RequestInit,
  endStream?: boolean,
) => Promise<BackendStream>;

function ok(text: string): Handler {
  return (_, response) => response.end(text);
}

const echo: Handler = (request, response) => {
  const chunks: Uint8Array[] = [];
  request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  request.on("end", () => response.end(Buffer.concat(chunks)));
};
