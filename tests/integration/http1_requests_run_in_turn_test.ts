import assert from "node:assert/strict";
import { startRecordingBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { connectRawTls, startHttpBackend, startL7, startSeeingBackend } from "../support/l7.ts";
import { requestText, Wire } from "../support/h1_wire.ts";

const get = (path: string, ...fields: string[]) => requestText("GET", path, { fields });

for (const count of [2, 17, 50, 1000]) {
  Deno.test(`${count} requests sent ahead are all answered, in their order, on the connection`, async () => {
    await using backend = await startHttpBackend("http1", (request, response) => {
      // The later ones are answered faster, were they to run at once.
      setTimeout(
        () => response.end(request.url),
        count > 50 ? 0 : (count - Number(request.url?.slice(1))) / 5,
      );
    });
    await using proxy = await startL7({ backend: backend.address });
    using wire = await Wire.connect(proxy);
    const paths = Array.from({ length: count }, (_, i) => `/${i}`);
    await wire.send(paths.map((path) => get(path)).join(""));
    for (const path of paths) {
      const { status, body } = await wire.answer();
      assert.deepEqual([status, body], [200, path]);
    }
    assert.ok(await wire.isQuiet());
    assert.equal(proxy.requests.length, count);
  });
}

Deno.test("a request does not start before the answer to the one before it has ended", async () => {
  let running = 0;
  const overlaps: string[] = [];
  const order: string[] = [];
  await using backend = await startHttpBackend("http1", (request, response) => {
    const name = `${request.method} ${request.url}`;
    order.push(name);
    if (running++ > 0) overlaps.push(name);
    request.resume();
    response.write("begun ");
    setTimeout(() => {
      running--;
      response.end(name);
    }, 30);
  });
  await using proxy = await startL7({ backend: backend.address });
  using wire = await Wire.connect(proxy);
  await wire.send(
    requestText("POST", "/account", { body: "amount=5" }) + requestText("DELETE", "/account") +
      requestText("PUT", "/account", { body: "new" }) + get("/account"),
  );
  const expected = ["POST /account", "DELETE /account", "PUT /account", "GET /account"];
  for (const name of expected) assert.equal((await wire.answer()).body, `begun ${name}`);
  assert.deepEqual(order, expected);
  assert.deepEqual(overlaps, []);
});

Deno.test("what is sent ahead is not read while its turn has not come", async () => {
  await using backend = await startRecordingBackend();
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
  });
  await using client = await connectRawTls(proxy);
  const flood = get("/flood").repeat(2000);
  let sent = 0;
  const sending = (async () => {
    while (sent < 200e6) {
      await client.write(flood);
      sent += flood.length;
    }
  })().catch(() => {});
  await backend.connection();
  let before = -1;
  await eventually(async () => {
    const still = sent === before;
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return still;
  }, "the client has to wait");
  assert.ok(sent < 30e6, `the kernel's buffers and little more took ${sent} octets`);
  assert.equal(backend.connections.length, 1, "one request runs");
  client.reset();
  await eventually(() => proxy.events.length === 1, "the proxy notices though it does not read");
  assert.equal(proxy.requests.length, 1, "and runs nothing more of it");
  await sending;
});

Deno.test("nothing behind a request with Connection: close is executed", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  using wire = await Wire.connect(proxy);
  await wire.send(get("/1") + get("/2", "Connection: close") + requestText("DELETE", "/hidden"));
  const { text, ending } = await wire.toEnd();
  assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
  assert.match(text, /connection: close\r\n\r\n(2\r\n)?ok/);
  assert.equal(ending, "closed");
  await wire.send(get("/late")).catch(() => {});
  assert.deepEqual(backend.seen.map(({ path }) => path), ["/1", "/2"]);
});

Deno.test("nothing behind an error is executed, and what was answered before it arrives", async () => {
  await using backend = await startSeeingBackend();
  await using proxy = await startL7({ backend: backend.address });
  for (const broken of ["GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\r\n\r\n", get("/x", "A : b")]) {
    using wire = await Wire.connect(proxy);
    backend.seen.length = 0;
    await wire.send(get("/1") + get("/2") + broken + requestText("DELETE", "/hidden"));
    const { text, ending } = await wire.toEnd();
    assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), [
      "HTTP/1.1 200",
      "HTTP/1.1 200",
      "HTTP/1.1 400",
    ]);
    assert.equal(ending, "closed");
    assert.deepEqual(backend.seen.map(({ path }) => path), ["/1", "/2"]);
  }
});

Deno.test("a client that leaves while it waits ends its request at the backend", async () => {
  await using backend = await startRecordingBackend();
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
  });
  using wire = await Wire.connect(proxy);
  await wire.send(get("/slow"));
  const connection = await backend.connection();
  await wire.end();
  await connection.ending;
  assert.deepEqual(await wire.toEnd(), { text: "", ending: "closed" });
  await eventually(() => proxy.requests.length === 1, "it is logged");
  assert.equal(proxy.requests[0]?.status, 499);
});
