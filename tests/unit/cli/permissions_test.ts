import assert from "node:assert/strict";
import { checkPermissions } from "../../../lib/cli/permissions.ts";
import { loadConfig } from "../../../lib/config/mod.ts";

/** What Deno's flags allow, for {@link checkPermissions} to ask. */
interface Granted {
  readonly net?: boolean;
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  readonly others?: readonly string[];
}

const ENOUGH: Granted = { net: true, read: ["/srv/mc-proxy", "/opt"], write: ["/srv/mc-proxy"] };

function query(granted: Granted) {
  const isGranted = (descriptor: Deno.PermissionDescriptor): boolean => {
    const { name } = descriptor;
    if (name === "net") return granted.net === true;
    if (name === "read" || name === "write") {
      const path = String(descriptor.path);
      return (granted[name] ?? []).some((root) =>
        root === "/" || path === root || path.startsWith(`${root}/`)
      );
    }
    return (granted.others ?? []).includes(name);
  };
  return (descriptor: Deno.PermissionDescriptor) => ({
    state: isGranted(descriptor) ? "granted" as const : "prompt" as const,
  });
}

function config(text = "") {
  const result = loadConfig(`[database]\npath = "/srv/mc-proxy/mc-proxy.db"\n${text}`);
  assert(result.ok);
  return result.config;
}

Deno.test("checkPermissions() accepts exactly enough without a word", () => {
  const workerModule = new URL("file:///opt/mc-proxy/lib/workers/entry.ts");
  const excess = checkPermissions({ config: config(), workerModule, query: query(ENOUGH) });
  assert.deepEqual(excess, []);
});

Deno.test("checkPermissions() names every missing flag and its purpose in one line", () => {
  const check = {
    config: config('[grpc]\naddr = "/run/mc-proxy/admin.sock"\n'),
    notifySocket: "/run/systemd/notify",
    workerModule: new URL("file:///opt/mc-proxy/lib/workers/entry.ts"),
    query: query({}),
  };
  assert.throws(() => checkPermissions(check), (error: Error) => {
    assert.equal(
      error.message,
      "Deno was not given the permissions that this configuration needs: add " +
        "--allow-net (listeners and backends), " +
        "--allow-read=/srv/mc-proxy (the database), --allow-write=/srv/mc-proxy (the database), " +
        "--allow-read=/run/mc-proxy (the admin socket), " +
        "--allow-write=/run/mc-proxy (the admin socket), " +
        "--allow-write=/run/systemd/notify (systemd's socket), " +
        "--allow-read=/opt/mc-proxy/lib/workers/entry.ts (the program's own workers)",
    );
    return true;
  });
});

Deno.test("checkPermissions() asks for no file behind an abstract socket or a compiled program", () => {
  const check = { config: config(), notifySocket: "@systemd", query: query(ENOUGH) };
  assert.deepEqual(checkPermissions(check), []);
});

Deno.test("checkPermissions() reports each permission that nothing needs", () => {
  const all = { net: true, read: ["/"], write: ["/"], others: ["run", "ffi", "env"] };
  assert.deepEqual(checkPermissions({ config: config(), query: query(all) }), [
    "--allow-run",
    "--allow-ffi",
    "--allow-read of everything",
    "--allow-write of everything",
    "--allow-env of everything",
  ]);
});

Deno.test("checkPermissions() asks for the files that the group knows by a name", () => {
  const loaded = loadConfig(
    `[database]\npath = "/srv/mc-proxy/a.db"
    [state]\nsource = "postgres"
    [state.postgres]\nuser = "p1"\ngroup = "edge"\ntls = false
    [state.local]\nname = "p1"\nfiles = { a = "/etc/site.pem" }`,
    { readsFiles: false },
  );
  assert(loaded.ok);
  assert.throws(
    () => checkPermissions({ config: loaded.config, query: query(ENOUGH) }),
    /--allow-read=\/etc\/site\.pem \(files of the group\)/,
  );
});
