import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  encodeQuery,
  octetsOf,
  octetString,
  parseMessage,
  rdataToText,
  readEdns,
  TYPE,
} from "../../lib/dns/mod.ts";
import {
  createZoneKey,
  delegationSigners,
  importZoneKey,
  type KeyRole,
  type ZoneKey,
} from "../../lib/dnssec/mod.ts";
import { commandExists, runCommand, testWithCommands } from "../support/commands.ts";
import { startDnsPeer } from "../support/dns_peers.ts";
import { nameOf } from "../support/dns_server.ts";
import { APEX, zoneOf } from "../support/zone_samples.ts";
import { ZoneServer } from "../support/zone_server.ts";

const TEXT = `${APEX}www A 192.0.2.1
www A 192.0.2.2
www AAAA 2001:db8::1
MiXed MX 10 WWW
mail MX 10 MAIL.Other.Example.
srv SRV 1 2 3 WWW
txt TXT "some text" "more"
*.wild A 192.0.2.7
a.b.c.e A 192.0.2.8
alias CNAME www
lost CNAME nowhere
out CNAME www.other.
d DNAME sub2
x.sub2 A 192.0.2.9
unsigned NS ns.unsigned
ns.unsigned A 192.0.2.99
signed NS ns.signed
signed DS 12345 13 2 0102030405060708091011121314151617181920212223242526272829303132
ns.signed A 192.0.2.98
svc HTTPS 1 . alpn=h2
odd TYPE65280 \\# 3 010203
many A 192.0.2.100
`;

async function keyIn(role: KeyRole): Promise<ZoneKey> {
  const key = await importZoneKey(await createZoneKey(role));
  assert(key.ok);
  return key.value;
}

const anchorOf = ({ data }: ZoneKey) => rdataToText(TYPE.DNSKEY, octetsOf(data));
const start = (zoneKeys: readonly ZoneKey[]) =>
  ZoneServer.start(zoneOf("z.example.", TEXT), { zoneKeys });

const QUESTIONS = [
  ["www", "A", /192\.0\.2\.1/],
  ["WWW", "AAAA", /2001:db8::1/],
  ["mixed", "MX", /WWW|www/],
  ["mail", "MX", /Other/i],
  ["srv", "SRV", /1 2 3/],
  ["txt", "TXT", /some text/],
  ["any.wild", "A", /192\.0\.2\.7/],
  ["alias", "A", /192\.0\.2\.1/],
  ["x.d", "A", /192\.0\.2\.9/],
  ["svc", "HTTPS", /h2/],
  ["odd", "TYPE65280", /010203/],
  ["@", "SOA", /hostmaster/],
  ["@", "NS", /ns/],
  ["@", "DNSKEY", /257 3 13/],
  ["@", "CDS", / 13 2 /],
  ["@", "CDNSKEY", /257 3 13/],
  ["signed", "DS", /12345 13 2/],
] as const;
const NOTHING = [
  ["nowhere", "A"],
  ["deep.below.nowhere", "A"],
  ["www", "TXT"],
  ["b.c.e", "A"], // An empty non-terminal.
  ["any.wild", "AAAA"],
  ["lost", "A"],
  ["unsigned", "DS"],
  ["@", "TXT"],
] as const;

const ownerOf = (name: string) => name === "@" ? "z.example" : `${name}.z.example`;

testWithCommands(
  ["delv"],
  "delv validates what is there and what is not, and nothing of another key",
  async () => {
    const key = await keyIn("active");
    await using server = await start([key]);
    const other = await keyIn("active");
    const delv = async (own: ZoneKey, ...question: string[]) => {
      const file = await Deno.makeTempFile();
      try {
        const anchor = anchorOf(own).split(" ");
        await Deno.writeTextFile(
          file,
          `trust-anchors { "z.example" static-key ${anchor.slice(0, 3).join(" ")} "${
            anchor.slice(3).join("")
          }"; };`,
        );
        const at = ["@127.0.0.1", "-p", String(server.port), "-a", file, "+root=z.example"];
        const { stdout, stderr } = await runCommand("delv", [...at, ...question]);
        return stdout + stderr;
      } finally {
        await Deno.remove(file);
      }
    };
    await Promise.all(QUESTIONS.map(async ([name, type, found]) => {
      const output = await delv(key, ownerOf(name), type);
      assert.match(output, /; fully validated/, `${name} ${type}: ${output}`);
      assert.match(output, found);
    }));
    await Promise.all(NOTHING.map(async ([name, type]) => {
      const output = await delv(key, ownerOf(name), type);
      assert.match(
        output,
        /negative response, fully validated|nxrrset|; fully validated/,
        `${name} ${type}: ${output}`,
      );
      assert.doesNotMatch(output, /resolution failed: (?!ncache)/, `${name} ${type}`);
    }));
    assert.match(await delv(other, ownerOf("www"), "A"), /broken trust chain|no valid|failed/);
  },
);

testWithCommands(
  ["drill"],
  "drill chases signatures to the key, and to no other one",
  async () => {
    const key = await keyIn("active");
    await using server = await start([key]);
    const drill = async (own: ZoneKey, name: string, type: string) => {
      const file = await Deno.makeTempFile();
      try {
        await Deno.writeTextFile(file, `z.example. 3600 IN DNSKEY ${anchorOf(own)}\n`);
        const at = ["-p", String(server.port), "@127.0.0.1"];
        const { stdout } = await runCommand("drill", ["-S", "-k", file, ...at, name, type]);
        return stdout;
      } finally {
        await Deno.remove(file);
      }
    };
    for (const [name, type] of [["www", "A"], ["mixed", "MX"], ["@", "SOA"]] as const) {
      assert.match(await drill(key, ownerOf(name), type), /Chase successful/, `${name} ${type}`);
    }
    const other = await drill(await keyIn("active"), ownerOf("www"), "A");
    assert.doesNotMatch(other, /Chase successful/);
  },
);

/** Python with dnspython and what it needs to look at signatures. */
const hasDnspython = commandExists("python3") &&
  new Deno.Command("python3", {
    args: ["-c", "import dns._features; assert dns._features.have('dnssec')"],
    stdout: "null",
    stderr: "null",
  }).outputSync().success;

Deno.test({
  name: "dnspython validates what is there and what is not" +
    (hasDnspython ? "" : " (ignored: no dnspython with cryptography here)"),
  ignore: !hasDnspython,
  fn: async () => {
    const key = await keyIn("active");
    await using server = await start([key]);
    const script = fileURLToPath(new URL("../testdata/dns/validate.py", import.meta.url));
    const validate = (own: ZoneKey, pairs: readonly string[]) => {
      const args = [script, String(server.port), "z.example", anchorOf(own), ...pairs];
      return runCommand("python3", args);
    };
    const pairs = [...QUESTIONS, ...NOTHING].map(([name, type]) => `${ownerOf(name)}:${type}`);
    const { code, stdout, stderr } = await validate(key, pairs);
    assert.equal(code, 0, stderr);
    assert.deepEqual(stdout.trim().split("\n").map((line) => line.split(" ")[0]), pairs);
    for (const line of stdout.trim().split("\n").slice(QUESTIONS.length)) {
      assert.match(line, / NOERROR (?:CNAME,)?SOA,NSEC$/, line);
    }
    assert.notEqual((await validate(await keyIn("active"), pairs.slice(0, 1))).code, 0);
  },
});

testWithCommands(
  ["unbound", "dig"],
  "unbound validates the same, a zone in a rollover too, and takes no other key",
  async () => {
    const active = await keyIn("active");
    const published = await keyIn("published");
    const retired = await keyIn("retired");
    await using server = await start([active, published, retired]);
    const unboundWith = (key: ZoneKey) =>
      startDnsPeer({
        ...{ command: "unbound", question: ["localhost", "A"] },
        args: ({ folder }) => ["-d", "-c", `${folder}/unbound.conf`],
        files: ({ folder, port }) => ({
          "unbound.conf": `server:
  interface: 127.0.0.1@${port}
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: "${folder}/pid"
  use-syslog: no
  logfile: ""
  val-log-level: 2
  module-config: "validator iterator"
  do-not-query-localhost: no
  trust-anchor: "z.example. DNSKEY ${anchorOf(key)}"
stub-zone:
  name: z.example
  stub-addr: 127.0.0.1@${server.port}
remote-control:
  control-enable: no
`,
        }),
      });
    for (const key of [active, published, retired]) {
      await using unbound = await unboundWith(key); // Each is an anchor while it is in the zone.
      const questions = key === active ? QUESTIONS : QUESTIONS.slice(0, 1);
      for (const [name, type, found] of questions) {
        const output = await unbound.dig("+dnssec", ownerOf(name), type);
        assert.match(
          output,
          /flags:[^;]* ad[ ;]/,
          `${name} ${type}: ${output}\n${unbound.output()}`,
        );
        assert.match(output, found);
      }
      for (const [name, type] of key === active ? NOTHING : []) {
        const output = await unbound.dig("+dnssec", ownerOf(name), type);
        assert.match(output, /status: (NOERROR|NXDOMAIN)/, `${name} ${type}: ${output}`);
        assert.match(
          output,
          /flags:[^;]* ad[ ;]/,
          `${name} ${type}: ${output}\n${unbound.output()}`,
        );
      }
    }
    await using strict = await unboundWith(await keyIn("active"));
    assert.match(await strict.dig(ownerOf("www"), "A"), /status: SERVFAIL/);
  },
);

testWithCommands(
  ["dig"],
  "a name that is not there is proved by one record that says so, and no name of the zone is told",
  async () => {
    await using server = await start([await keyIn("active")]);
    const dig = async (...args: string[]) =>
      (await runCommand("dig", ["@127.0.0.1", "-p", String(server.port), ...args])).stdout;
    const output = await dig("+dnssec", "nowhere.z.example", "A");
    assert.match(output, /status: NOERROR/);
    assert.match(
      output,
      /nowhere\.z\.example\.\s+60\s+IN\s+NSEC\s+\\000\.nowhere\.z\.example\. RRSIG NSEC (TYPE128|NXNAME)/,
    );
    assert.match(output, /flags: qr aa rd/);
    // Who does not ask for proofs is told as ever.
    assert.match(await dig("nowhere.z.example", "A"), /status: NXDOMAIN/);
    assert.doesNotMatch(await dig("nowhere.z.example", "A"), /RRSIG|NSEC/);
    const nodata = await dig("+dnssec", "www.z.example", "TXT");
    assert.match(nodata, /NSEC\s+\\000\.www\.z\.example\. A AAAA RRSIG NSEC/);
    const nsec = await dig("+dnssec", "www.z.example", "NSEC");
    assert.match(nsec, /ANSWER SECTION:\nwww\.z\.example\.\s+60\s+IN\s+NSEC\s/);
    const referral = await dig("+dnssec", "+norec", "x.unsigned.z.example", "A");
    assert.match(
      referral,
      /unsigned\.z\.example\.\s+60\s+IN\s+NSEC\s+\\000\.unsigned\.z\.example\. NS RRSIG NSEC/,
    );
    assert.doesNotMatch(referral, /RRSIG\s+NS /);
    const signed = await dig("+dnssec", "+norec", "x.signed.z.example", "A");
    assert.match(signed, /RRSIG\s+DS 13 3 /);
    assert.match(await dig("+dnssec", "www.z.example", "TYPE128"), /status: FORMERR/);
    assert.match(await dig("+dnssec", "x.d.z.example", "A"), /RRSIG\s+DNAME/);
    assert.doesNotMatch(await dig("+dnssec", "x.d.z.example", "A"), /RRSIG\s+CNAME/);
    assert.equal(octetString(nameOf("z.example")), server.zone.apexKey);
  },
);

Deno.test("what is signed fits or is asked for over TCP, and a signature is made once", async () => {
  const key = await keyIn("active");
  await using server = await start([key]);
  const { signer, port } = server;
  const ask = async (payload: number) => {
    const query = encodeQuery({
      ...{ id: 1, name: nameOf("www.z.example"), type: TYPE.A },
      ...{ udpPayloadBytes: payload, isDnssecOk: true },
    });
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    try {
      await socket.send(query, { transport: "udp", hostname: "127.0.0.1", port });
      const [octets] = await socket.receive();
      const message = parseMessage(octets);
      assert(message.ok);
      const edns = readEdns(message.value, octets);
      assert(edns !== undefined && edns !== "invalid");
      assert.equal(edns.isDnssecOk, true);
      return { message: message.value, length: octets.length };
    } finally {
      socket.close();
    }
  };
  const whole = await ask(1232);
  assert.equal(whole.message.answers.length, 3);
  assert.equal(whole.message.header.isTruncated, false);
  for (let i = 0; i < 5; i++) await ask(1232);
  assert.equal(signer.status.made, 1);
  const [ds] = await delegationSigners(server.zone.origin, [key]);
  assert.match(
    rdataToText(TYPE.DS, octetsOf(ds ?? "")),
    new RegExp(`^${key.tag} 13 2 [0-9A-F]{64}$`, "i"),
  );
});
