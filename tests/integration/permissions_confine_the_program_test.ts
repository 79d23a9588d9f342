import assert from "node:assert/strict";
import { join } from "node:path";
import { serverFlags } from "../../deploy/runtime.ts";
import { WorkerHandle, type WorkerHandleOptions } from "../../lib/workers/worker_handle.ts";
import { runCommand } from "../support/commands.ts";
import { withinDeadline } from "../support/deadline.ts";
import { ROOT } from "../support/module_graph.ts";
import { writeConfig } from "../support/proxy.ts";

const PROBE = join(ROOT, "tests/testdata/permission_probe.ts");

/** What nothing in this program may do. */
const FORBIDDEN = {
  foreignRead: "NotCapable",
  foreignWrite: "NotCapable",
  foreignDatabase: "NotCapable",
  escape: "NotCapable",
  link: "NotCapable",
  run: "NotCapable",
  spawn: "NotCapable",
  library: "NotCapable",
  hostname: "NotCapable",
  home: "NotCapable",
  remoteCode: "NotCapable",
};

/** A folder with its name resolved: a permission names the folder behind a symbolic link. */
async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const parent = await Deno.realPath(await Deno.makeTempDir());
  const folder = join(parent, "data");
  await Deno.mkdir(folder);
  try {
    await use(folder);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

Deno.test("the deployed flags allow the data folder and the network, and nothing else", async () => {
  await withFolder(async (folder) => {
    const flags = serverFlags({ source: join(ROOT, "lib"), data: folder });
    const { stdout, stderr } = await runCommand(Deno.execPath(), ["run", ...flags, PROBE, folder]);
    assert.deepEqual({ ...JSON.parse(stdout || "{}"), stderr }, {
      ownRead: "done",
      ownWrite: "done",
      ownDatabase: "done",
      listen: "done",
      ...FORBIDDEN,
      stderr: "",
    });
  });
});

Deno.test("a data-plane worker may use the network and nothing else", async () => {
  const options = optionsOfDataPlaneWorkers();
  await withFolder(async (folder) => {
    const worker = new Worker(new URL(`file://${PROBE}`), options);
    try {
      const answer = Promise.withResolvers<unknown>();
      worker.onmessage = ({ data }) => answer.resolve(data);
      worker.onerror = ({ message }) => answer.reject(new Error(message));
      worker.postMessage(folder);
      assert.deepEqual(await withinDeadline(answer.promise, "the worker answers"), {
        ownRead: "NotCapable",
        ownWrite: "NotCapable",
        ownDatabase: "NotCapable",
        listen: "done",
        ...FORBIDDEN,
      });
    } finally {
      worker.terminate();
    }
  });
});

const outside: [string, (folder: string) => Record<string, unknown>][] = [
  ["database", (folder) => ({ database: { path: `${folder}-beside.db` } })],
  ["GeoIP file", () => ({ firewall: { geoip_db: "/etc/passwd", blocked_countries: ["KP"] } })],
  [
    "certificate",
    (folder) => ({
      database: { path: `${folder}/mc-proxy.db` },
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{
          hostname: "one.test",
          backend: "127.0.0.1:1",
          mode: "l7",
          tls_cert: "/etc/passwd",
          tls_key: "/etc/passwd",
        }],
      }],
    }),
  ],
];

for (const [what, config] of outside) {
  Deno.test(`mc-proxy server refuses a ${what} outside of its folder in one clear line`, async () => {
    await withFolder(async (folder) => {
      const path = await writeConfig(folder, { config });
      const flags = serverFlags({ source: ROOT, data: folder });
      const args = ["run", ...flags, join(ROOT, "main.ts"), "server", "-c", path];
      const { code, stdout, stderr } = await runCommand(Deno.execPath(), args);
      assert.equal(code, 1, stderr);
      assert.equal(stdout, "");
      assert.doesNotMatch(stderr, /^\s+at /m);
      assert.match(stderr, /permi|--allow-(read|write)/);
    });
  });
}

/** The options with which the program makes its workers, without making one. */
function optionsOfDataPlaneWorkers(): WorkerOptions {
  const original = globalThis.Worker;
  let seen: WorkerOptions | undefined;
  globalThis.Worker = class {
    constructor(_url: URL, options: WorkerOptions) {
      seen = options;
    }
  } as unknown as typeof Worker;
  try {
    new WorkerHandle({ index: 0 } as WorkerHandleOptions);
  } finally {
    globalThis.Worker = original;
  }
  assert.ok(seen);
  return seen;
}
