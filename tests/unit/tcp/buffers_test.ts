import assert from "node:assert/strict";
import { ReadBuffers } from "../../../lib/tcp/_read_buffers.ts";
import { WriteBuffers } from "../../../lib/tcp/_write_buffers.ts";

const MB = 1024 * 1024;

Deno.test("ReadBuffers gives a stream that fills the shared buffer one of its own, while it does", () => {
  const buffers = new ReadBuffers();
  const { shared } = buffers;
  assert.equal(buffers.after(shared, shared.bytes.length - 1), shared);
  const bulk = buffers.after(shared, shared.bytes.length);
  assert(bulk.own && bulk.bytes.length > shared.bytes.length);
  assert.equal(buffers.after(bulk, bulk.bytes.length / 8), bulk);
  assert.equal(buffers.after(bulk, bulk.bytes.length / 8 - 1), shared);
  buffers.free(bulk);
  assert.equal(buffers.bulk(), bulk, "it is used again");
  assert.notEqual(buffers.bulk(), bulk);
});

Deno.test("ReadBuffers never takes the shared buffer for one to lend", () => {
  const buffers = new ReadBuffers();
  buffers.free(buffers.shared);
  assert(buffers.bulk().own);
});

Deno.test("ReadBuffers gives little when much waits in the thread", () => {
  const buffers = new ReadBuffers();
  const { shared } = buffers;
  buffers.queued = 32 * MB - 1;
  assert(buffers.after(shared, shared.bytes.length).own);
  buffers.queued = 32 * MB;
  assert.equal(buffers.after(shared, shared.bytes.length), shared, "no bulk");
  assert.equal(buffers.bulk(), shared);
  assert.equal(buffers.scarce, false);
  buffers.queued = 96 * MB;
  assert.equal(buffers.scarce, true);
  const small = buffers.after(shared, shared.bytes.length);
  assert.equal(small.bytes.length, 16 * 1024);
  assert.equal(small.bytes.buffer, shared.bytes.buffer, "a part of the shared one");
  assert.equal(small.own, false);
  buffers.queued = 0;
  assert(buffers.after(small, small.bytes.length).own, "and more again when it has drained");
});

Deno.test("WriteBuffers gives the smallest size that holds the octets, and the same one again", () => {
  const buffers = new WriteBuffers();
  for (const [length, size] of [[1, 2048], [2048, 2048], [2049, 16384], [65536, 65536]] as const) {
    const buffer = buffers.take(length) ?? assert.fail();
    assert.equal(buffer.bytes.length, size);
    const other = buffers.take(length);
    assert.notEqual(other, buffer, "it is in use");
    buffers.give(buffer);
    assert.equal(buffers.take(length), buffer);
  }
  assert.equal(buffers.take(65537), undefined);
});
