import assert from "node:assert/strict";
import { join } from "node:path";
import { renderCtlReference } from "../../../lib/ctl/reference.ts";
import { ROOT } from "../../support/module_graph.ts";

Deno.test("docs/mcproxyctl.md is that of the commands; `deno task reference` makes it so", async () => {
  assert.equal(await Deno.readTextFile(join(ROOT, "docs/mcproxyctl.md")), renderCtlReference());
});
