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

/** A shell script that says what the steps of the test look at, each behind a line `== NAME`. */
const SCENARIO = `
install
echo "== private"
stat -c '%U %a %n' /srv/mc-proxy /srv/mc-proxy/certs /srv/mc-proxy/backups /srv/mc-proxy/mc-proxy.toml

echo "== links"
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

echo "== secrets"
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
umask 022

echo "== upgrade"
rm /srv/mc-proxy/mc-proxy.toml
printf '[database]\\npath = "/srv/mc-proxy/a.db"\\n' >/srv/mc-proxy/mc-proxy.toml
chown mc-proxy: /srv/mc-proxy/mc-proxy.toml
install
cat /srv/mc-proxy/mc-proxy.toml
find /opt/mc-proxy ! -user root | head -3
`;

/** What the scenario told in each of its steps; an installation takes seconds, so they share one host. */
async function runScenario(): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await runCommand(Deno.execPath(), ["info", "--json"]);
  const { denoDir } = JSON.parse(stdout) as { denoDir: string };
  using folder = temporaryFolder();
  // Outside of what the host hides.
  const deno = join(folder.path, "deno");
  await Deno.copyFile(Deno.execPath(), deno);
  const env = { SCRIPT: join(ROOT, "deploy/install.sh"), DENO: deno, CACHE: denoDir };
  // In one stream, so that what failed is told in its step.
  const args = ["--mount", "--net", "bash", "-c", `exec 2>&1\n${HOST}${SCENARIO}`];
  const { code, stdout: told } = await runCommand("unshare", args, { env });
  assert.equal(code, 0, told);
  const steps = told.split(/^== (.*)$/m).slice(1);
  return new Map(steps.flatMap((name, i) => i % 2 === 0 ? [[name, steps[i + 1] ?? ""]] : []));
}

const reason = canMakeHosts ? "" : " (ignored: not root, or no namespaces of mounts here)";

Deno.test({
  name: `install.sh and the folders of the service${reason}`,
  ignore: !canMakeHosts,
  async fn(t) {
    const told = await runScenario();
    const step = (name: string) => {
      const text = told.get(name);
      assert.ok(text !== undefined, name);
      return text;
    };
    await t.step("install.sh leaves the service its own folders, private", () => {
      for (const path of ["", "/certs", "/backups"]) {
        assert.match(step("private"), new RegExp(`^mc-proxy 700 /srv/mc-proxy${path}$`, "m"));
      }
      assert.match(step("private"), /^mc-proxy 600 \/srv\/mc-proxy\/mc-proxy\.toml$/m);
    });
    await t.step("install.sh refuses links in folders of the service, and changes nothing", () => {
      assert.doesNotMatch(step("links"), /INSTALLED/);
      for (const path of ["certs", "backups", "mc-proxy.toml"]) {
        const refusal = `/srv/mc-proxy/${path} is a link: nothing was changed`;
        assert.ok(step("links").includes(refusal), step("links"));
      }
      assert.match(step("links"), /^root 755 \/run\/victim$/m);
      assert.doesNotMatch(step("links"), /^new$/m);
    });
    await t.step(
      "install.sh reads with the rights of the service what its configuration names",
      () => {
        assert.match(step("secrets"), /geoip_db.*may not be read by this user/);
        assert.match(step("secrets"), /mc-proxy\.toml: the file is not readable for this user/);
        assert.doesNotMatch(step("secrets"), /root of all secrets/);
      },
    );
    await t.step("install.sh upgrades, and leaves the service nothing of the program", () => {
      assert.match(step("upgrade"), /^path = "\/srv\/mc-proxy\/a\.db"$/m);
      assert.match(step("upgrade"), /^installed$|: installed$/m);
      assert.doesNotMatch(step("upgrade"), /^\/opt/m, "the service owns nothing of the program");
    });
  },
});
