import assert from "node:assert/strict";
import { join } from "node:path";
import { checkCompatibility, generate, lint } from "../../../tools/proto.ts";
import { ROOT } from "../../support/module_graph.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const GENERATED = "lib/admin/gen";

async function filesBelow(folder: string, prefix = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(folder, prefix))) {
    const path = join(prefix, name);
    if (isDirectory) found.push(...await filesBelow(folder, path));
    else found.push(path);
  }
  return found.sort();
}

Deno.test("the protocol passes Buf's linter and formatter", async () => {
  await lint();
});

Deno.test("the protocol keeps clients of the released one working", async () => {
  await checkCompatibility();
});

Deno.test("checkCompatibility() notices a field that changed its type", async () => {
  using folder = temporaryFolder();
  for (const path of await filesBelow(join(ROOT, "proto"))) {
    const target = join(folder.path, path);
    await Deno.mkdir(join(target, ".."), { recursive: true });
    await Deno.copyFile(join(ROOT, "proto", path), target);
  }
  const file = join(folder.path, "mc_proxy/v1/admin.proto");
  const proto = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, proto.replace("string hostname = 1;", "bytes hostname = 1;"));
  await assert.rejects(checkCompatibility(folder.path), { code: "proto" });
});

Deno.test("the generated code is that of the protocol; `deno task proto` makes it so", async () => {
  using folder = temporaryFolder();
  await generate(folder.path);
  const fresh = await filesBelow(folder.path);
  assert.deepEqual(await filesBelow(join(ROOT, GENERATED)), fresh);
  for (const path of fresh) {
    const expected = await Deno.readTextFile(join(folder.path, path));
    assert.equal(await Deno.readTextFile(join(ROOT, GENERATED, path)), expected, path);
  }
});

Deno.test("every list has pages or a limit, or says why it needs none", async () => {
  const proto = await Deno.readTextFile(join(ROOT, "proto/mc_proxy/v1/admin.proto"));
  // What answers with many entries of one kind.
  const repeats =
    /^message (\w+)Response \{\n[^}]*^ {2}repeated (?!uint32|Difference|string)\w+ \w+ = 1;/gm;
  const lists = [...proto.matchAll(repeats)].map(([, name = ""]) => name);
  assert.ok(lists.length >= 8, lists.join());
  const endless = lists.filter((name) => {
    if (name.startsWith("Watch") || name === "Apply") return false;
    const request = new RegExp(`((?:^//.*\\n)*)^message ${name}Request \\{([^}]*)`, "m").exec(
      proto,
    );
    const [, comment = "", fields = ""] = request ?? [];
    return !/ (page_size|limit) = /.test(fields) && !comment.includes("Without pages");
  });
  assert.deepEqual(endless, []);
});
