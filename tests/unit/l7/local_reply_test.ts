import assert from "node:assert/strict";
import type { ResponseInit } from "../../../lib/h2/mod.ts";
import { isGrpc, localReply } from "../../../lib/l7/local_reply.ts";

/** What a client is told. */
function reply(status: number, method: string, fields: string[]) {
  const told = { head: undefined as ResponseInit | undefined, body: "", ended: false };
  localReply(
    {
      respond(head, end = false) {
        told.head = head;
        told.ended = end;
      },
      sendData(bytes, end = false) {
        told.body += new TextDecoder().decode(bytes);
        told.ended = end;
        return true;
      },
      sendTrailers() {},
      consume() {},
      reset() {},
    },
    { status },
    { method, fields },
  );
  return told;
}

Deno.test("localReply() is short, plain and says nothing of the inside", () => {
  const { head, body, ended } = reply(502, "GET", []);
  assert.equal(head?.status, 502);
  assert.equal(body, "502 Bad Gateway\n");
  assert.ok(head?.fields.includes(String(body.length)));
  assert.ok(ended);
});

Deno.test("localReply() to HEAD has no content", () => {
  const { head, body, ended } = reply(421, "HEAD", []);
  assert.deepEqual([head?.status, body, ended], [421, "", true]);
});

const GRPC: Readonly<Record<number, string>> = {
  403: "7",
  421: "2",
  431: "8",
  501: "12",
  502: "14",
  503: "14",
  504: "14",
};
for (const [status, grpcStatus] of Object.entries(GRPC)) {
  Deno.test(`localReply() to gRPC turns ${status} into grpc-status ${grpcStatus}`, () => {
    const { head, body, ended } = reply(Number(status), "POST", [
      "content-type",
      "application/grpc+proto",
    ]);
    assert.equal(head?.status, 200);
    assert.deepEqual([body, ended], ["", true]);
    assert.equal(head?.fields[head.fields.indexOf("grpc-status") + 1], grpcStatus);
  });
}

Deno.test("isGrpc() tells gRPC from gRPC-Web, whose answers are framed otherwise", () => {
  assert.equal(isGrpc(["content-type", "application/grpc"]), true);
  assert.equal(isGrpc(["content-type", "application/grpc;charset=utf-8"]), true);
  assert.equal(isGrpc(["content-type", "application/grpc-web"]), false);
  assert.equal(isGrpc([]), false);
});
