import assert from "node:assert/strict";
import { type AdminContext, operation } from "../../../lib/admin/context.ts";

/** Who the audit log will name, by what the caller calls itself. */
function actorOf(claim: string | undefined): string {
  const context = { owner: () => 1000 } as unknown as AdminContext;
  const { signal } = new AbortController();
  return operation("AddRoute", context, { signal, metadata: () => claim }).actor;
}

Deno.test("operation() names the owner of the socket, and as its word what a caller calls itself", () => {
  assert.equal(actorOf("deploy"), "uid 1000 (deploy)");
  assert.equal(actorOf("a".repeat(64)), `uid 1000 (${"a".repeat(64)})`);
});

Deno.test("operation() takes no claim that is absent, long, or not printable", () => {
  for (const claim of [undefined, "", "a".repeat(65), "a\nb", "a\u001b[2J"]) {
    assert.equal(actorOf(claim), "uid 1000");
  }
});
