import assert from "node:assert/strict";
import { modulesLoadedBy } from "../../support/loaded_modules.ts";

Deno.test("mcproxyctl --help loads neither gRPC nor protobuf", async () => {
  const loaded = [...await modulesLoadedBy("lib/cli/mcproxyctl.ts")];
  assert.deepEqual(loaded.filter((it) => /grpc|protobuf|lib\/client/.test(it)), []);
});
