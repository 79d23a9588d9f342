import assert from "node:assert/strict";
import { type ByteWriter, LineWriter } from "../../../lib/cli/line_writer.ts";
import { eventually } from "../../support/deadline.ts";

const options = {
  describeDropped: (count: number) => `dropped ${count}\n`,
  describeFailed: (count: number) => `failed ${count}\n`,
};

/** A target that takes at most `step` octets at a time. */
function recorder(step = Infinity) {
  let text = "";
  const write = (bytes: Uint8Array) => {
    const taken = bytes.subarray(0, step);
    text += new TextDecoder().decode(taken);
    return Promise.resolve(taken.length);
  };
  return { write, text: () => text };
}

/** A target that takes nothing until it is released. */
function stalled() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const target = recorder();
  let asked = 0;
  const write = async (bytes: Uint8Array) => {
    asked++;
    await promise;
    return await target.write(bytes);
  };
  return { write, release: resolve, text: target.text, asked: () => asked };
}

Deno.test("LineWriter writes lines in order, also to a target that takes a few octets at a time", async () => {
  const target = recorder(3);
  {
    await using writer = new LineWriter(target, options);
    writer.write("first\n");
    writer.write("second\n");
  }
  assert.equal(target.text(), "first\nsecond\n");
});

Deno.test("LineWriter drops lines for a stalled target, and says later how many", async () => {
  const target = stalled();
  const line = "x".repeat(1023) + "\n";
  {
    await using writer = new LineWriter(target, options);
    for (let i = 0; i < 5000; i++) writer.write(line);
    target.release();
    // Room again, once what was queued is written.
    await eventually(() => target.text().length > 0, "it is written");
    writer.write("last\n");
  }
  assert.equal(target.text().split(line).length - 1, 4096);
  assert.match(target.text(), /dropped 904\n/);
  assert(target.text().endsWith("last\n") || target.text().endsWith("dropped 904\n"));
});

Deno.test("LineWriter closes although its target never takes what is queued", async () => {
  const target = stalled();
  {
    await using writer = new LineWriter(target, { ...options, closeTimeoutMs: 20 });
    writer.write("never read\n");
  }
  assert.equal(target.text(), "");
  target.release();
});

Deno.test("LineWriter goes on when its target fails", async () => {
  let calls = 0;
  const target: ByteWriter = {
    write() {
      calls++;
      return Promise.reject(new Deno.errors.BrokenPipe());
    },
  };
  {
    await using writer = new LineWriter(target, options);
    writer.write("one\n");
    await eventually(() => calls > 0, "it is tried");
    writer.write("two\n");
  }
  assert.equal(calls, 2);
});

Deno.test("LineWriter counts lines that cannot be written, and says so when it can again", async () => {
  const target = recorder();
  let full = true;
  const write = (bytes: Uint8Array) =>
    full ? Promise.reject(new Error("no space left on device")) : target.write(bytes);
  await using writer = new LineWriter({ write }, options);
  for (let i = 0; i < 3; i++) writer.write(`lost ${i}\n`);
  await eventually(() => writer.lost === 3, "they are lost");
  writer.write("lost too\n");
  await eventually(() => writer.lost === 4, "it is lost too");
  full = false;
  writer.write("read\n");
  await eventually(() => target.text() !== "", "it is written");
  assert.equal(target.text(), "read\nfailed 4\n");
  writer.write("and on\n");
  await eventually(() => target.text().endsWith("on\n"), "it is written");
  assert.equal(target.text(), "read\nfailed 4\nand on\n");
  assert.equal(writer.lost, 4);
});

Deno.test("LineWriter does not count lines that were written before the disk was full", async () => {
  let room = 8;
  let text = "";
  const write = (bytes: Uint8Array) => {
    if (room === 0) return Promise.reject(new Error("no space left on device"));
    const taken = bytes.subarray(0, room);
    room -= taken.length;
    text += new TextDecoder().decode(taken);
    return Promise.resolve(taken.length);
  };
  await using writer = new LineWriter({ write }, options);
  for (const line of ["one\n", "two\n", "three\n", "four\n"]) writer.write(line);
  await eventually(() => writer.lost > 0, "the disk is full");
  assert.equal(text, "one\ntwo\n");
  assert.equal(writer.lost, 2);
});

Deno.test("LineWriter has all of its room again after a stall", async () => {
  const target = stalled();
  const line = "x".repeat(1023) + "\n";
  await using writer = new LineWriter(target, options);
  for (let i = 0; i < 2000; i++) writer.write(line);
  await eventually(() => target.asked() === 1, "the first batch is under way");
  for (let i = 0; i < 2000; i++) writer.write(line);
  target.release();
  await eventually(() => target.text().length === 4000 * line.length, "all is written");
  for (let i = 0; i < 4097; i++) writer.write(line);
  assert.equal(writer.lost, 1);
});
