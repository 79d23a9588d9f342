import assert from "node:assert/strict";
import { foldCase, octetString, TYPE } from "../../lib/dns/mod.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { nameOf } from "../support/dns_server.ts";
import { temporaryFile } from "../support/update_clients.ts";
import { APEX, zoneOf } from "../support/zone_samples.ts";
import { keyNamed, TRANSFER_SECRET, ZoneServer } from "../support/zone_server.ts";

const key = (text: string) => foldCase(octetString(nameOf(text)));
/** `all` may do everything, `acme` TXT records of names below dyn.z.example. */
const GRANTS = new Map([
  ["\x03all\0", [{ name: key("z.example"), isTree: true }]],
  ["\x04acme\0", [{ name: key("dyn.z.example"), isTree: true, types: [TYPE.TXT] }]],
]);

const start = () =>
  ZoneServer.start(
    zoneOf("z.example.", `${APEX}www A 192.0.2.1\nwww A 192.0.2.2\nalias CNAME www\n`),
    {
      keys: [keyNamed("all"), keyNamed("acme")],
      addresses: ["127.0.0.1"],
      grants: ({ name }) => GRANTS.get(octetString(name)) ?? [],
    },
  );

const SCRIPTS = [
  ["adds a record", "all", "update add new.z.example 60 A 192.0.2.9", "", ["new A 192.0.2.9"]],
  [
    "adds many kinds",
    "all",
    'update add m.z.example 60 MX 5 www.z.example\nupdate add m.z.example 60 TXT "a b"\nupdate add s.z.example 60 SRV 0 1 2 www.z.example',
    "",
    ["m MX 5 www.z.example.", 'm TXT "a b"', "s SRV 0 1 2 www.z.example."],
  ],
  ["removes one record of two", "all", "update delete www.z.example A 192.0.2.2", "", [
    "www A 192.0.2.1",
  ]],
  ["removes a set", "all", "update delete www.z.example A", "", ["www A -"]],
  ["removes a name", "all", "update delete new.z.example", "", ["new A -"]],
  ["replaces an alias", "all", "update add alias.z.example 60 CNAME new.z.example", "", [
    "alias CNAME new.z.example.",
  ]],
  [
    "takes nothing beside an alias, in silence",
    "all",
    "update add alias.z.example 60 A 192.0.2.3",
    "",
    ["alias CNAME new.z.example."],
  ],
  ["keeps the last name server, in silence", "all", "update delete z.example NS", "", [
    "@ NS ns.z.example.",
  ]],
  [
    "makes changes where what has to be is",
    "all",
    "prereq nxdomain p.z.example\nprereq yxrrset ns.z.example A\nprereq yxrrset ns.z.example A 192.0.2.53\nupdate add p.z.example 60 A 192.0.2.4",
    "",
    ["p A 192.0.2.4"],
  ],
  [
    "makes none where a name is there",
    "all",
    "prereq nxdomain p.z.example\nupdate add p.z.example 60 A 192.0.2.5",
    "YXDOMAIN",
    ["p A 192.0.2.4"],
  ],
  [
    "makes none where a name is not there",
    "all",
    "prereq yxdomain q.z.example\nupdate add q.z.example 60 A 192.0.2.5",
    "NXDOMAIN",
    ["q A -"],
  ],
  [
    "makes none where a set is there",
    "all",
    "prereq nxrrset p.z.example A\nupdate add p.z.example 60 A 192.0.2.5",
    "YXRRSET",
    [],
  ],
  [
    "makes none where a set is another one",
    "all",
    "prereq yxrrset p.z.example A 192.0.2.44\nupdate add p.z.example 60 A 192.0.2.5",
    "NXRRSET",
    ["p A 192.0.2.4"],
  ],
  ["lets a key change what it may", "acme", 'update add _acme.dyn.z.example 60 TXT "proof"', "", [
    '_acme.dyn TXT "proof"',
  ]],
  [
    "lets a key change no other type",
    "acme",
    "update add x.dyn.z.example 60 A 192.0.2.6",
    "REFUSED",
    ["x.dyn A -"],
  ],
  ["lets a key change no other name", "acme", 'update add www.z.example 60 TXT "x"', "REFUSED", [
    "www TXT -",
  ]],
  ["lets a key remove no name as a whole", "acme", "update delete _acme.dyn.z.example", "REFUSED", [
    '_acme.dyn TXT "proof"',
  ]],
  [
    "makes all changes or none",
    "acme",
    'update add y.dyn.z.example 60 TXT "y"\nupdate add y.z.example 60 TXT "y"',
    "REFUSED",
    ["y.dyn TXT -"],
  ],
] as const;

for (const command of ["nsupdate", "knsupdate"]) {
  testWithCommands(
    [command, "dig"],
    `${command} changes a zone as its key may, all or nothing, prerequisites first`,
    async () => {
      await using server = await start();
      const dig = async (question: string) => {
        const [name = "", type = ""] = question.split(" ");
        const owner = name === "@" ? "z.example" : `${name}.z.example`;
        const { stdout } = await runCommand("dig", [
          ...["@127.0.0.1", "-p", String(server.port), "+short", owner, type],
        ]);
        return stdout.trim() || "-";
      };
      const update = async (signer: string, script: string, secret = TRANSFER_SECRET) => {
        await using file = await temporaryFile(
          [`server 127.0.0.1 ${server.port}`, "zone z.example", script, "send", ""].join("\n"),
        );
        const of = signer === "" ? [] : ["-y", `hmac-sha256:${signer}:${secret}`];
        const { code, stdout, stderr } = await runCommand(command, [...of, file.path]);
        return { code, output: stdout + stderr };
      };
      for (const [what, signer, script, refusal, states] of SCRIPTS) {
        const before = server.zone.serial;
        const { code, output } = await update(signer, script);
        assert.equal(code !== 0, refusal !== "", `${what}: ${output}`);
        if (refusal !== "") assert.match(output, new RegExp(refusal), what);
        for (const state of states) {
          const [question = "", data] = state.split(/(?<=^\S+ \S+) /);
          assert.equal(await dig(question), data, what);
        }
        if (refusal !== "") assert.equal(server.zone.serial, before, what);
      }
      // Each change is a step from serial to serial.
      assert.equal(server.zone.serial, 7 + server.steps.length);
      assert.equal(server.steps.length, 8, "what changes nothing is no change");
      const { serial } = server.zone;
      for (
        const [signer, secret, refusal] of [
          ["", "", /REFUSED/],
          ["nobody", TRANSFER_SECRET, /BADKEY|NOTAUTH/],
          ["all", btoa("x".repeat(32)), /BADSIG|NOTAUTH|signature/i],
        ] as const
      ) {
        const { code, output } = await update(
          signer,
          "update add evil.z.example 60 A 192.0.2.66",
          secret,
        );
        assert.notEqual(code, 0);
        assert.match(output, refusal);
      }
      assert.equal(server.zone.serial, serial);
    },
  );
}
