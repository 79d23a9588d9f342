import assert from "node:assert/strict";
import { H1_EDGE_LIMITS } from "../../lib/h1/mod.ts";
import { fuzzTest } from "../support/fuzz.ts";
import { cut, testTarget } from "../support/fuzz_target.ts";
import { octets, TestClient, TestServer } from "../support/h1_pair.ts";
import { H1_ANSWERS, H1_CHUNKS, H1_REQUESTS } from "./targets/h1.ts";

const ROUNDS = 2000;

for (const target of [H1_REQUESTS, H1_ANSWERS, H1_CHUNKS]) testTarget(target);

fuzzTest("random octets are never a request or an answer that was not there", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    const noise = random.bytes(random.below(200));
    const server = new TestServer(H1_EDGE_LIMITS);
    server.receive(noise);
    assert.deepEqual(server.requests, []);
    const client = new TestClient();
    const seen = client.ask();
    client.flush();
    client.receive(noise);
    assert.equal(seen.head, undefined);
  }
});

fuzzTest("what a client session writes, a server session reads as it was meant", (random) => {
  for (let round = 0; round < ROUNDS / 4; round++) {
    const client = new TestClient();
    const server = new TestServer();
    const method = random.pick(["GET", "POST", "get", "FOO"]);
    const body = random.bytes(random.below(20_000));
    const declared = random.below(2) === 0;
    const fields = ["x-a", "b", ...declared ? ["content-length", String(body.length)] : []];
    const seen = client.ask({ method, path: "/x", fields }, false);
    for (let at = 0; at < body.length;) {
      const end = at + 1 + random.below(6000);
      seen.stream.sendData(body.slice(at, end));
      at = end;
    }
    if (declared || random.below(2) === 0) seen.stream.sendData(new Uint8Array(0), true);
    else seen.stream.sendTrailers(["grpc-status", "0"]);
    for (const piece of cut(octets(client.flush()), random)) server.receive(piece);
    const [request] = server.requests;
    assert.deepEqual([request?.head?.method, request?.ended], [method, true]);
    assert.deepEqual(octets(request?.body ?? ""), body);
    assert.deepEqual(request?.head?.fields, fields);
  }
});
