import assert from "node:assert/strict";
import { join } from "node:path";
import {
  clientFlags,
  DENO_VERSION,
  INSTALLED,
  MCNS_INSTALLED,
  MCNS_SERVICE,
  mcnsctlFlags,
  mcnsFlags,
  serverFlags,
  SERVICE,
} from "../../../deploy/runtime.ts";
import { runCommand, testWithCommands } from "../../support/commands.ts";
import { ROOT } from "../../support/module_graph.ts";
import { denoArguments } from "../../support/units.ts";

/** systemd calls up to 2.0 "OK"; the aim here is lower. */
const MAX_EXPOSURE = 1.5;

const deployed = (name: string) => Deno.readTextFile(join(ROOT, "deploy", name));

/** What an installation adds to the permissions: it never looks for packages at run time. */
const CACHED = "--cached-only";

Deno.test("mc-proxy.service runs the server under exactly the deployed flags", async () => {
  assert.deepEqual(denoArguments(await deployed("mc-proxy.service")), [
    CACHED,
    ...serverFlags(SERVICE),
    "/opt/mc-proxy/main.ts",
    "server",
    "--take-over",
    "-c",
    "/srv/mc-proxy/mc-proxy.toml",
  ]);
});

Deno.test("the installed mc-proxy command runs under exactly the deployed flags", async () => {
  assert.deepEqual(denoArguments(await deployed("bin/mc-proxy")), [
    CACHED,
    ...serverFlags(INSTALLED),
    "/opt/mc-proxy/main.ts",
    '"$@"',
  ]);
});

Deno.test("the installed mcproxyctl command may open the socket and nothing else", async () => {
  assert.deepEqual(denoArguments(await deployed("bin/mcproxyctl")), [
    CACHED,
    ...clientFlags(`${INSTALLED.data}/mc-proxy.sock`),
    "/opt/mc-proxy/lib/cli/mcproxyctl.ts",
    '"$@"',
  ]);
});

Deno.test("the installed mcnsctl command runs under exactly the deployed flags, and writes nothing", async () => {
  assert.deepEqual(denoArguments(await deployed("bin/mcnsctl")), [
    CACHED,
    ...mcnsctlFlags(`${MCNS_INSTALLED.data}/mcns.sock`),
    "/opt/mc-proxy/lib/cli/mcnsctl.ts",
    '"$@"',
  ]);
});

Deno.test("mc-proxy-backup.service may reach the data folder and nothing else", async () => {
  const flags = denoArguments(await deployed("mc-proxy-backup.service"));
  const permissions = flags.filter((word) => word.startsWith("--allow"));
  const { data } = INSTALLED;
  assert.deepEqual(permissions, [`--allow-read=${data}`, `--allow-write=${data}`]);
});

Deno.test("mcns.service and the installed mcns command run under exactly the deployed flags", async () => {
  assert.deepEqual(denoArguments(await deployed("mcns.service")), [
    CACHED,
    ...mcnsFlags(MCNS_SERVICE),
    "/opt/mc-proxy/lib/cli/mcns.ts",
    "server",
    "--config",
    "/srv/mcns/mcns.toml",
  ]);
  assert.deepEqual(denoArguments(await deployed("bin/mcns")), [
    CACHED,
    ...mcnsFlags(MCNS_INSTALLED),
    "/opt/mc-proxy/lib/cli/mcns.ts",
    '"$@"',
  ]);
  const backup = denoArguments(await deployed("mcns-backup.service"));
  const { data } = MCNS_INSTALLED;
  assert.deepEqual(backup.filter((word) => word.startsWith("--allow")), [
    `--allow-read=${data}`,
    `--allow-write=${data}`,
  ]);
});

Deno.test("mcns.service is MCNS Authoritative DNS, whose one capability is to bind low ports", async () => {
  const unit = await deployed("mcns.service");
  assert.match(unit, /^Description=MCNS Authoritative DNS$/m);
  assert.match(unit, /^User=mcns$/m);
  const capabilities = [...unit.matchAll(/^(?:Ambient|CapabilityBounding).*=(.*)$/gm)];
  assert.deepEqual(capabilities.map(([, value]) => value), [
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BIND_SERVICE",
  ]);
});

Deno.test("mc-proxy.service waits for the program's word and watches over it", async () => {
  const unit = await deployed("mc-proxy.service");
  for (const line of ["Type=notify", "NotifyAccess=main", "WatchdogSec=120s"]) {
    assert.ok(unit.includes(`\n${line}\n`), line);
  }
});

Deno.test("mc-proxy.service holds one capability and says why V8 needs writable code", async () => {
  const unit = await deployed("mc-proxy.service");
  const capabilities = [...unit.matchAll(/^(?:Ambient|CapabilityBounding).*=(.*)$/gm)];
  assert.deepEqual(capabilities.map(([, value]) => value), [
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BIND_SERVICE",
  ]);
  assert.doesNotMatch(unit, /^MemoryDenyWriteExecute/m);
  assert.match(unit, /^# - MemoryDenyWriteExecute: V8 /m);
});

Deno.test("install.sh installs the version of Deno that everything else names", async () => {
  assert.ok((await deployed("install.sh")).includes(`\nDENO_VERSION=${DENO_VERSION}\n`));
});

const SERVICES = [
  "mc-proxy.service",
  "mc-proxy-backup.service",
  "mcns.service",
  "mcns-backup.service",
];

for (const name of SERVICES) {
  testWithCommands(
    ["systemd-analyze"],
    `systemd rates the exposure of ${name} at ${MAX_EXPOSURE} or less`,
    async () => {
      const { code, stdout, stderr } = await runCommand("systemd-analyze", [
        "security",
        "--offline=true",
        "--no-pager",
        join(ROOT, "deploy", name),
      ]);
      assert.equal(code, 0, stderr);
      const [, exposure] = /exposure level for \S+: ([0-9.]+)/.exec(stdout) ?? [];
      assert.ok(Number(exposure) <= MAX_EXPOSURE, stdout);
    },
  );
}

testWithCommands(
  ["systemd-analyze"],
  "systemd finds nothing odd in the units, apart from programs that are not installed here",
  async () => {
    const names = [
      "mc-proxy.service",
      "mc-proxy.socket",
      "mc-proxy-backup.service",
      "mc-proxy-backup.timer",
      "mcns.service",
      "mcns-backup.service",
      "mcns-backup.timer",
    ];
    const { stderr } = await runCommand("systemd-analyze", [
      "verify",
      "--man=no",
      ...names.map((name) => join(ROOT, "deploy", name)),
    ]);
    const complaints = stderr.split("\n").filter((line) =>
      /(mc-proxy|mcns)[a-z-]*\.(service|socket|timer):/.test(line) &&
      !/is not executable/.test(line)
    );
    assert.deepEqual(complaints, []);
  },
);

Deno.test('mc-proxy.socket holds the socket of ":443", and the drop-in gives it to both units', async () => {
  const unit = await deployed("mc-proxy.socket");
  for (const line of ["ListenStream=443", "BindIPv6Only=both", "Backlog=4096"]) {
    assert.match(unit, new RegExp(`^${line}$`, "m"));
  }
  const dropIn = await deployed("socket-activation.conf");
  assert.match(dropIn, /^Sockets=mc-proxy\.socket$/m);
});

testWithCommands(
  ["systemd-analyze"],
  "the backup timers elapse at 02:00 and 02:15 UTC",
  async () => {
    for (const [name, time] of [["mc-proxy", "02:00"], ["mcns", "02:15"]]) {
      const timer = await deployed(`${name}-backup.timer`);
      const [, calendar = ""] = /^OnCalendar=(.*)$/m.exec(timer) ?? [];
      const { stdout } = await runCommand("systemd-analyze", ["calendar", calendar]);
      assert.match(stdout, new RegExp(`Normalized form: \\*-\\*-\\* ${time}:00 UTC`));
    }
  },
);
