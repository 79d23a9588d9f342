import assert from "node:assert/strict";
import { modulesLoadedBy } from "../../support/loaded_modules.ts";

Deno.test("mc-proxy --help loads neither the server nor the database", async () => {
  const loaded = [...await modulesLoadedBy("main.ts")];
  const heavy = /lib\/(?:server|control|db|config|l7)\/|prom-client|node:sqlite/;
  assert.deepEqual(loaded.filter((it) => heavy.test(it)), []);
});
