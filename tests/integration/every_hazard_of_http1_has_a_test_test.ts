import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { HAZARDS } from "../support/http1_hazards.ts";
import { ROOT } from "../support/module_graph.ts";

/** What the field has seen, as a list beside the checkout; not everywhere. */
const FIELD = new URL("../../../shared/FIELD.md", import.meta.url);

/** `over @` stands for one test over each protocol of the client. */
function expand(name: string): readonly string[] {
  return name.includes("@") ? ["http/1.1", "h2"].map((it) => name.replaceAll("@", it)) : [name];
}

async function registered(files: readonly string[]): Promise<Record<string, readonly string[]>> {
  const script = fileURLToPath(new URL("../support/test_names.ts", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", "-A", script, ...files],
    cwd: ROOT,
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("every test that the list of hazards of HTTP/1.1 names is there", async () => {
  const named = Object.values(HAZARDS).flatMap(({ tests }) => Object.entries(tests));
  const found = await registered([...new Set(named.map(([file]) => file))]);
  const missing = named.flatMap(([file, names]) =>
    names.flatMap(expand).filter((name) => !found[file]?.includes(name)).map((it) => [file, it])
  );
  assert.deepEqual(missing, []);
});

Deno.test("every hazard names a test over each protocol of the client, or says why it has one", () => {
  for (const [hazard, { tests, only }] of Object.entries(HAZARDS)) {
    const names = Object.values(tests).flat();
    assert.notEqual(names.length, 0, hazard);
    if (only !== undefined) continue;
    const all = names.flatMap(expand).join("\n");
    const [http1, http2] = [/HTTP\/1|http\/1|http1|\/h1\//, /HTTP\/2|http2|\bh2\b/];
    const spoken = Object.keys(tests).join("\n") + all;
    assert.match(spoken, http1, hazard);
    assert.match(spoken, http2, hazard);
  }
});

Deno.test({
  name: "every hazard of the field's list about smuggling is in ours",
  ignore: !exists(FIELD),
  async fn() {
    const text = await Deno.readTextFile(FIELD);
    const line = /\*\*Request smuggling[^*]*\*\*(.*)/.exec(text)?.[1] ?? assert.fail("no list");
    const known = Object.values(HAZARDS).flatMap(({ field = [] }) => field);
    const rest = known.reduce((left, it) => {
      assert.ok(left.includes(it), `${it} is in the list`);
      return left.replace(it, "");
    }, line);
    assert.equal(rest.replaceAll(/[;,.\s]/g, ""), "", "what no hazard of ours quotes");
  },
});

function exists(url: URL): boolean {
  try {
    return Deno.statSync(url).isFile;
  } catch {
    return false;
  }
}
