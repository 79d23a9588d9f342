import assert from "node:assert/strict";
import { join } from "node:path";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { ROOT } from "../support/module_graph.ts";

const SCRIPT = join(ROOT, "deploy/install.sh");

const COMPLETIONS = [
  "usr/share/bash-completion/completions/mcproxyctl",
  "usr/share/zsh/vendor-completions/_mcproxyctl",
  "usr/share/fish/vendor_completions.d/mcproxyctl.fish",
];

/** Runs the script below a staging root, as a packager does: no user, no services. */
async function script(root: string, command: string, ...options: string[]) {
  return await runCommand(SCRIPT, [command, "--root", root, ...options]);
}

/** Installs from what this test run has cached already. */
async function install(root: string) {
  const { stdout } = await runCommand(Deno.execPath(), ["info", "--json"]);
  const { denoDir } = JSON.parse(stdout) as { denoDir: string };
  return await script(root, "install", "--deno", Deno.execPath(), "--cache", denoDir);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

testWithCommands(
  ["bash"],
  "install.sh installs, upgrades without touching the configuration, rolls back and uninstalls",
  async (t) => {
    const root = await Deno.realPath(await Deno.makeTempDir());
    const program = join(root, "opt/mc-proxy");
    const data = join(root, "srv/mc-proxy");
    const config = join(data, "mc-proxy.toml");
    const mine = `[database]\npath = "${data}/mc-proxy.db"\n`;
    try {
      await t.step("a first installation leaves a private, complete folder", async () => {
        const { code, stderr } = await install(root);
        assert.equal(code, 0, stderr);
        assert.equal(((await Deno.stat(data)).mode ?? 0) & 0o777, 0o700);
        assert.equal(((await Deno.stat(config)).mode ?? 0) & 0o777, 0o600);
        for (const unit of ["mc-proxy.service", "mc-proxy-backup.service"]) {
          assert.ok(await exists(join(root, "etc/systemd/system", unit)), unit);
        }
        assert.ok(await exists(join(root, "usr/local/bin/mc-proxy")));
        for (const completions of COMPLETIONS) {
          assert.match(await Deno.readTextFile(join(root, completions)), /complete .* mcproxyctl/);
        }
      });

      await t.step("the installed program runs from its own cache", async () => {
        const { code, stdout, stderr } = await runCommand(
          join(program, "bin/deno"),
          [
            "run",
            "--cached-only",
            "--ignore-env",
            "--allow-read",
            `${program}/main.ts`,
            "--version",
          ],
          { env: { DENO_DIR: join(program, ".deno") } },
        );
        assert.equal(code, 0, stderr);
        assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
      });

      await t.step("an upgrade keeps the configuration and the previous program", async () => {
        await Deno.writeTextFile(config, mine);
        await Deno.writeTextFile(join(program, "marker"), "the first installation");
        const { code, stderr } = await install(root);
        assert.equal(code, 0, stderr);
        assert.equal(await Deno.readTextFile(config), mine);
        assert.equal(await exists(join(program, "marker")), false);
        assert.ok(await exists(join(root, "opt/mc-proxy.previous/marker")));
      });

      await t.step(
        "an upgrade whose program refuses the configuration changes nothing",
        async () => {
          await Deno.writeTextFile(config, "[databse]\n");
          await Deno.writeTextFile(join(program, "marker"), "the second installation");
          const { code, stderr } = await install(root);
          assert.equal(code, 1);
          assert.match(stderr, /refuses .*mc-proxy\.toml: nothing was changed/);
          assert.ok(await exists(join(program, "marker")));
          await Deno.writeTextFile(config, mine);
        },
      );

      await t.step("a rollback brings the previous program back", async () => {
        const { code, stderr } = await script(root, "rollback");
        assert.equal(code, 0, stderr);
        const marker = await Deno.readTextFile(join(program, "marker"));
        assert.equal(marker, "the first installation");
      });

      await t.step("uninstalling leaves the data, and --purge removes it", async () => {
        assert.equal((await script(root, "uninstall")).code, 0);
        assert.equal(await exists(program), false);
        for (const completions of COMPLETIONS) {
          assert.equal(await exists(join(root, completions)), false, completions);
        }
        assert.equal(await exists(join(root, "etc/systemd/system/mc-proxy.service")), false);
        assert.equal(await Deno.readTextFile(config), mine);
        assert.equal((await script(root, "uninstall", "--purge")).code, 0);
        assert.equal(await exists(data), false);
      });
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
);

testWithCommands(
  ["bash"],
  "install.sh refuses what it does not know, and another Deno",
  async () => {
    const root = await Deno.makeTempDir();
    try {
      for (const args of [[], ["--root", root], ["instal"]]) {
        assert.equal((await runCommand(SCRIPT, args)).code, 2, args.join(" "));
      }
      assert.equal((await script(root, "install", "--frobnicate")).code, 2);
      const other = join(root, "deno");
      await Deno.writeTextFile(other, "#!/bin/sh\necho 1.2.3\n", { mode: 0o755 });
      const { code, stderr } = await script(root, "install", "--deno", other);
      assert.equal(code, 1);
      assert.match(stderr, /is Deno 1\.2\.3, not /);
      assert.equal(await exists(join(root, "opt")), false);
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
);

testWithCommands(
  ["bash", "shellcheck"],
  "shellcheck finds nothing in the shell scripts",
  async () => {
    const scripts = [".ci/run"];
    for (const folder of ["deploy", "deploy/bin"]) {
      for await (const { name, isFile } of Deno.readDir(join(ROOT, folder))) {
        if (isFile && (folder === "deploy/bin" || name.endsWith(".sh"))) {
          scripts.push(`${folder}/${name}`);
        }
      }
    }
    const { code, stdout } = await runCommand("shellcheck", scripts, { cwd: ROOT });
    assert.equal(code, 0, stdout);
  },
);
