import assert from "node:assert/strict";
import { join } from "node:path";
import { octetsOf, rdataToText, TYPE } from "../../lib/dns/mod.ts";
import { createZoneKey, formatZoneKeys, importZoneKey } from "../../lib/dnssec/mod.ts";
import { openDnsDatabase } from "../../lib/dns_store/mod.ts";
import { fetchZone } from "../../lib/replication/mod.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { nameOf } from "../support/dns_server.ts";
import { McnsProcess } from "../support/mcns_process.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { temporaryFile } from "../support/update_clients.ts";
import { APEX, zoneOf } from "../support/zone_samples.ts";
import { keyNamed, TRANSFER_SECRET, ZoneServer } from "../support/zone_server.ts";

const NAME = nameOf("z.example");
const FILLER = Array.from({ length: 10 }, (_, i) => `h${i} A 192.0.2.${i}\n`).join("");

testWithCommands(
  ["nsupdate", "dig", "delv"],
  "mcns takes updates of keys, tells who follows, gives whole zones and changes, and signs",
  async () => {
    using folder = temporaryFolder();
    const at = (file: string) => join(folder.path, file);
    const stored = await createZoneKey("active");
    await Deno.writeTextFile(at("secret"), `${TRANSFER_SECRET}\n`);
    await Deno.writeTextFile(at("zone.json"), formatZoneKeys([stored]));
    await using follower = await ZoneServer.start(zoneOf("z.example.", APEX));
    const config = `[dns]
listen_addr = "127.0.0.1:0"
[[dns.keys]]
name = "xfr-key"
secret_file = "${at("secret")}"
[[dns.keys]]
name = "acme"
secret_file = "${at("secret")}"
[[dns.zones]]
zone = "z.example"
transfer_keys = ["xfr-key"]
notify = ["127.0.0.1:${follower.port}"]
dnssec_keys = "${at("zone.json")}"
  [[dns.zones.update]]
  key = "acme"
  name = "z.example"
  below = true
  types = ["TXT"]
`;
    const zones = { "z.example": APEX + FILLER };
    await using mcns = await McnsProcess.start({ config, zones, folder: folder.path });
    const { port } = mcns.address;
    const dig = async (...args: string[]) => {
      const { stdout, stderr } = await runCommand("dig", [
        "@127.0.0.1",
        "-p",
        String(port),
        ...args,
      ]);
      return stdout + stderr;
    };
    const update = async (key: string, script: string) => {
      const text = `server 127.0.0.1 ${port}\nzone z.example\n${script}\nsend\n`;
      await using file = await temporaryFile(text);
      const sign = ["-y", `hmac-sha256:${key}:${TRANSFER_SECRET}`];
      const { stdout, stderr } = await runCommand("nsupdate", [...sign, file.path]);
      return stdout + stderr;
    };
    const add = 'update add _acme-challenge.www.z.example 60 TXT "proof"';
    assert.equal(await update("acme", add), "");
    assert.match(await dig("+short", "_acme-challenge.www.z.example", "TXT"), /"proof"/);
    assert.equal(
      await update("acme", "update add www.z.example 60 A 192.0.2.1").then((text) =>
        /REFUSED/.test(text)
      ),
      true,
    );
    assert.match(await update("xfr-key", add), /REFUSED/);
    assert.match(await update("stranger", add), /BADKEY|NOTAUTH/);
    await mcns.line(/an update was refused.*key=xfr-key/);
    await eventually(() => follower.notifies > 0, "the follower is told");
    // From the journal on the disk.
    const primary = { hostname: "127.0.0.1", port, key: keyNamed("xfr-key") };
    const options = {
      signal: new AbortController().signal,
      time: () => Math.floor(Date.now() / 1000),
    };
    const result = await fetchZone(primary, { zone: NAME, serial: 7 }, options);
    assert(result.kind === "steps", result.kind);
    assert.deepEqual(result.steps.map(({ from, to }) => [from, to]), [[7, 8]]);
    assert.deepEqual(result.steps[0]?.added.map(({ type }) => type), [TYPE.SOA, TYPE.TXT]);
    const whole = await fetchZone(primary, { zone: NAME, serial: undefined }, options);
    assert(whole.kind === "whole");
    assert.equal(whole.records.length, 3 + 10 + 1);
    const key = await importZoneKey(stored);
    assert(key.ok);
    const anchor = rdataToText(TYPE.DNSKEY, octetsOf(key.value.data)).split(" ");
    const words = `"z.example" static-key ${anchor.slice(0, 3).join(" ")} "${
      anchor.slice(3).join("")
    }"`;
    await using anchors = await temporaryFile(`trust-anchors { ${words}; };`);
    const delv = await runCommand("delv", [
      ...["@127.0.0.1", "-p", String(port), "-a", anchors.path, "+root=z.example"],
      ...["_acme-challenge.www.z.example", "TXT"],
    ]);
    assert.match(delv.stdout + delv.stderr, /fully validated/);
    assert.match(await dig("+dnssec", "z.example", "CDS"), / 13 2 /);
    mcns.kill("SIGTERM");
    assert.equal(await mcns.ended(), 0);
    using database = openDnsDatabase(at("mcns.db"));
    const [entry] = database.audit.list({ limit: 1 });
    assert.equal(entry?.actor, "key acme.");
    assert.equal(entry?.action, "Update");
    assert.match(JSON.stringify(entry), /proof/);
  },
);
