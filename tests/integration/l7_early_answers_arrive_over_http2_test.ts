import assert from "node:assert/strict";
import { FrameFlag, FrameType } from "../../lib/h2/mod.ts";
import { startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { frame } from "../support/h2_raw.ts";
import { HOST, startL7, startSeeingBackend } from "../support/l7.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const UPLOAD = [":method", "POST", ":scheme", "https", ":authority", HOST, ":path", "/"];

Deno.test("a 413 in the middle of an upload over HTTP/2 arrives whole, then a reset without an error", async () => {
  await using backend = await startBackend({
    onConnection: ({ socket }) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo much");
      });
      socket.on("end", () => socket.end());
    },
  });
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
  });
  await using client = await RawHttp2Client.connect(proxy.port);
  await client.write(
    client.headers(1, UPLOAD, false),
    frame(FrameType.data, 0, 1, new Uint8Array(1000)),
  );
  await eventually(() => client.frames(1).at(-1)?.type === FrameType.rstStream, "the reset");
  assert.deepEqual(client.statuses(1), ["413"]);
  assert.equal(client.content(1), "too much");
  const [reset] = client.frames(1).slice(-1);
  assert.deepEqual([...reset?.payload ?? []], [0, 0, 0, 0], "NO_ERROR (RFC 9113 §8.1)");
  const ends = client.frames(1).filter(({ type, flags }) =>
    type === FrameType.data && (flags & FrameFlag.endStream) !== 0
  );
  assert.equal(ends.length, 1, "the answer has its end before it");
  await eventually(() => backend.open === 0, "the backend's connection is not used again");
  // What the client still sends is of no consequence.
  await client.write(frame(FrameType.data, FrameFlag.endStream, 1, new Uint8Array(1000)));
  await client.write(client.headers(3, UPLOAD, true));
  assert.equal(await client.answer(3), "413");
  assert.equal(client.isGoingAway, false);
});

Deno.test("100 Continue over HTTP/2 comes when a backend is there for the content, and not before", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  await using client = await RawHttp2Client.connect(proxy.port);
  const asking = [...UPLOAD, "content-length", "5", "expect", "100-continue"];
  for (const id of [1, 3]) {
    await client.write(client.headers(id, asking, false));
    await eventually(() => client.statuses(id).length > 0, "an answer before the content");
    assert.deepEqual(client.statuses(id), ["100"]);
    await client.write(
      frame(FrameType.data, FrameFlag.endStream, id, new TextEncoder().encode("hello")),
    );
    await eventually(() => client.statuses(id).length > 1, "the answer");
    assert.deepEqual(client.statuses(id), ["100", "200"]);
  }
  assert.deepEqual(backend.seen.map(({ body }) => body), ["hello", "hello"]);
  await using nobody = await startL7({ backend: "127.0.0.1:1" });
  await using refused = await RawHttp2Client.connect(nobody.port);
  await refused.write(refused.headers(1, asking, false));
  await eventually(() => refused.statuses(1).length > 0, "the refusal");
  assert.deepEqual(refused.statuses(1), ["502"], "no 100 before it");
});
