import assert from "node:assert/strict";
import { fieldsRoom, writeFields, writeHead } from "../../../lib/h1/head_writer.ts";
import { FieldError, type Fields, latin1, Output, OutputPool } from "../../../lib/http/mod.ts";

/** The head with these fields, as it is written. */
function written(fields: Fields, skip?: (name: string) => boolean): string {
  const output = new Output(new OutputPool());
  try {
    writeHead(output, { first: "GET / HTTP/1.1\r\n", fields, skip, last: "x: y\r\n" });
  } catch (error) {
    assert.equal(output.size, 0, "nothing is written of what cannot be sent");
    throw error;
  }
  return output.take().map((piece) => latin1(piece, 0, piece.length)).join("");
}

/** Values that would end a field or begin another one, or that others would read without their ends. */
const BAD_VALUES = [" a", "a ", "\ta", "a\t", " ", "\t", "a\nb", "a\rb", "\0", "\x7f", "a\u0100b"];
const GOOD_VALUES = ["", "a", "a b", "a\tb", "\xff", "!"];

Deno.test("writeHead() writes the first line, fields, and what comes last", () => {
  assert.equal(
    written(["accept", "a", "x-empty", ""]),
    "GET / HTTP/1.1\r\naccept: a\r\nx-empty: \r\nx: y\r\n\r\n",
  );
  assert.equal(written([]), "GET / HTTP/1.1\r\nx: y\r\n\r\n");
});

Deno.test("writeHead() leaves out what belongs to one connection, and what is to be skipped", () => {
  const ours = ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"];
  for (const name of ours) assert.equal(written([name, "a"]), written([]), name);
  assert.equal(
    written(["accept", "a", "b", "c"], (name) => name === "accept"),
    written(["b", "c"]),
  );
  // Others of one hop alone have been left out before, or are meant.
  assert.notEqual(written(["te", "trailers"]), written([]));
});

Deno.test("writeHead() sends no value that could be read as another one, be it left out", () => {
  for (const name of ["accept", "x-unknown", "connection", "skipped"]) {
    const skip = (it: string) => it === "skipped";
    for (const value of BAD_VALUES) {
      const message = `cannot send fields: invalid value of ${name}`;
      assert.throws(() => written([name, value], skip), new FieldError(message), value);
    }
    for (const value of GOOD_VALUES) written([name, value], skip);
  }
});

Deno.test("writeHead() sends no name that is none", () => {
  for (const name of ["", "a b", "a:", "A", "a\n", "\xff"]) {
    assert.throws(() => written([name, "a"]), new FieldError("cannot send fields: invalid name"));
  }
});

Deno.test("fieldsRoom() is what writeFields() takes, for fields that can be sent", () => {
  for (const value of GOOD_VALUES) {
    const fields = ["x-a", value, "accept", "b"];
    const room = fieldsRoom(fields);
    const bytes = new Uint8Array(room + 2);
    assert.equal(writeFields(bytes, 1, fields), 1 + room);
    assert.equal(latin1(bytes, 1, 1 + room), `x-a: ${value}\r\naccept: b\r\n`);
  }
  for (const value of BAD_VALUES) assert.throws(() => fieldsRoom(["a", value]), FieldError);
  for (const name of ["", "a b", "A"]) assert.throws(() => fieldsRoom([name, "a"]), FieldError);
});
