import assert from "node:assert/strict";
import { countOf } from "../../../lib/cli/activation.ts";

const pid = String(Deno.pid);

for (
  const [what, environment, count] of [
    ["nothing", { pid: undefined, fds: undefined }, 0],
    ["sockets for this process", { pid, fds: "2" }, 2],
    ["sockets for another process", { pid: "1", fds: "2" }, 0],
    ["sockets for nobody", { pid: undefined, fds: "2" }, 0],
    ["a number that is none", { pid, fds: "two" }, 0],
    ["a negative number", { pid, fds: "-1" }, 0],
    ["as many as are allowed", { pid, fds: "256" }, 256],
  ] as const
) {
  Deno.test(`countOf() finds ${count} when the environment says ${what}`, () => {
    assert.equal(countOf(environment), count);
  });
}

Deno.test("countOf() refuses more sockets than any configuration has listeners", () => {
  assert.throws(() => countOf({ pid, fds: "257" }), /257 sockets are over 256/);
});
