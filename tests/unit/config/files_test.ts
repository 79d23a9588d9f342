import assert from "node:assert/strict";
import { resolve } from "node:path";
import { problemsOf, withRoute } from "../../support/configs.ts";

Deno.test("loadConfig() says where a relative path was looked for, and not of an absolute one", () => {
  const [relative = ""] = problemsOf(withRoute(`  mode = "l7"
  tls_cert = "certs/a.pem"
  tls_key = "/nowhere/a.key"`));
  const where = JSON.stringify(resolve("certs/a.pem"));
  assert.ok(
    relative.endsWith(`.tls_cert: "certs/a.pem" does not exist; it was looked for at ${where}`),
    relative,
  );
  const [, absolute = ""] = problemsOf(withRoute(`  mode = "l7"
  tls_cert = "certs/a.pem"
  tls_key = "/nowhere/a.key"`));
  assert.ok(absolute.endsWith('.tls_key: "/nowhere/a.key" does not exist'), absolute);
});
