import assert from "node:assert/strict";
import { join } from "node:path";
import { commandExists, runCommand } from "../support/commands.ts";
import { ROOT } from "../support/module_graph.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/**
 * A host of its own: folders that the script writes are empty, `/etc` is a copy, the network and its
 * settings are others. `body` is a shell script in which `install` runs the installer as root.
 */
const HOST = `
set -eu
for folder in /opt /srv /usr/local/bin /run; do mount -t tmpfs tmpfs "$folder"; done
mkdir /run/etc && cp -a /etc/. /run/etc && mount --bind /run/etc /etc
install() { bash "$SCRIPT" install --deno "$DENO" --cache "$CACHE"; }
as_service() { setpriv --reuid mc-proxy --regid mc-proxy --clear-groups -- "$@"; }
`;

const canMakeHosts = Deno.uid() === 0 &&
  ["bash", "unshare", "mount", "setpriv", "useradd"].every(commandExists) &&
  (await runCommand("unshare", ["--mount", "--net", "mount", "-t", "tmpfs", "x", "/srv"])).code ===
    0;

function hostTest(name: string, fn: (run: (body: string) => Promise<string>) => Promise<void>) {
  const reason = canMakeHosts ? "" : " (ignored: not root, or no namespaces of mounts here)";
  Deno.test({
    name: name + reason,
    ignore: !canMakeHosts,
    async fn() {
      const { stdout } = await runCommand(Deno.execPath(), ["info", "--json"]);
      const { denoDir } = JSON.parse(stdout) as { denoDir: string };
      using folder = temporaryFolder();
      // Outside of what the host hides.
      const deno = join(folder.path, "deno");
      await Deno.copyFile(Deno.execPath(), deno);
      const env = { SCRIPT: join(ROOT, "deploy/install.sh"), DENO: deno, CACHE: denoDir };
      await fn(async (body) => {
        const args = ["--mount", "--net", "bash", "-c", HOST + body];
        const { code, stdout, stderr } = await runCommand("unshare", args, { env });
        assert.equal(code, 0, stdout + stderr);
        return stdout + stderr;
      });
    },
  });
}

hostTest(
  "install.sh leaves the service its own folders, private, and upgrades them",
  async (run) => {
    const told = await run(`
    install
    stat -c '%U %a %n' /srv/mc-proxy /srv/mc-proxy/certs /srv/mc-proxy/backups /srv/mc-proxy/mc-proxy.toml
    printf '[database]\\npath = "/srv/mc-proxy/a.db"\\n' >/srv/mc-proxy/mc-proxy.toml
    install
    cat /srv/mc-proxy/mc-proxy.toml
    find /opt/mc-proxy ! -user root | head -3
  `);
    for (const path of ["", "/certs", "/backups"]) {
      assert.match(told, new RegExp(`^mc-proxy 700 /srv/mc-proxy${path}$`, "m"));
    }
    assert.match(told, /^mc-proxy 600 \/srv\/mc-proxy\/mc-proxy\.toml$/m);
    assert.match(told, /^path = "\/srv\/mc-proxy\/a\.db"$/m);
    assert.doesNotMatch(told, /^\/opt/m, "the service owns nothing of the program");
  },
);

hostTest("install.sh refuses links in folders of the service, and changes nothing", async (run) => {
  const told = await run(`
    install >/dev/null
    mkdir -m 0755 /run/victim && echo secret >/run/victim/file
    for link in certs backups mc-proxy.toml; do
      as_service rm -rf "/srv/mc-proxy/$link"
      case $link in
        mc-proxy.toml) target=/run/victim/new ;;
        *) target=/run/victim ;;
      esac
      as_service ln -s "$target" "/srv/mc-proxy/$link"
      if install >/run/told 2>&1; then echo "INSTALLED $link"; fi
      cat /run/told
      as_service rm "/srv/mc-proxy/$link"
      if [ "$link" = mc-proxy.toml ]; then as_service touch "/srv/mc-proxy/$link"
      else as_service mkdir "/srv/mc-proxy/$link"; fi
    done
    stat -c '%U %a %n' /run/victim
    ls /run/victim
  `);
  assert.doesNotMatch(told, /INSTALLED/);
  for (const path of ["certs", "backups", "mc-proxy.toml"]) {
    assert.ok(told.includes(`/srv/mc-proxy/${path} is a link: nothing was changed`), told);
  }
  assert.match(told, /^root 755 \/run\/victim$/m);
  assert.doesNotMatch(told, /^new$/m);
});

hostTest(
  "install.sh reads with the rights of the service what its configuration names",
  async (run) => {
    const told = await run(`
    install >/dev/null
    umask 077; echo "the root of all secrets" >/run/secret; chmod 0755 /run
    cat >/srv/mc-proxy/mc-proxy.toml <<'TOML'
[database]
path = "/srv/mc-proxy/a.db"
[firewall]
geoip_db = "/run/secret"
TOML
    install 2>&1 || true
    # A configuration that root alone can read, reached through a hard link or a race, is as closed.
    cp /run/secret /srv/mc-proxy/mc-proxy.toml
    chown root /srv/mc-proxy/mc-proxy.toml
    chmod 0600 /srv/mc-proxy/mc-proxy.toml
    install 2>&1 || true
  `);
    assert.match(told, /geoip_db.*may not be read by this user/);
    assert.match(told, /mc-proxy\.toml: the file is not readable for this user/);
    assert.doesNotMatch(told, /root of all secrets/);
  },
);
