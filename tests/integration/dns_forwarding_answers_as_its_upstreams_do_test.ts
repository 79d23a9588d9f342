import assert from "node:assert/strict";
import { parseMessage } from "../../lib/dns/mod.ts";
import { askServer } from "../../lib/dns_client/mod.ts";
import { defaultAllowRecursion, Forwarder } from "../../lib/dns_forward/mod.ts";
import { testWithCommands } from "../support/commands.ts";
import { startDnsPeer } from "../support/dns_peers.ts";
import { nameOf } from "../support/dns_server.ts";
import { clientAt, questionFor } from "../support/forwarding.ts";
import { readAnswer } from "../support/zone_samples.ts";

const CLIENT = clientAt("127.0.0.1");

/** A recursive server that knows one zone by heart, and nobody else. */
const unbound = () =>
  startDnsPeer({
    command: "unbound",
    question: ["host.example", "A"],
    args: ({ folder }) => ["-d", "-c", `${folder}/unbound.conf`],
    files: ({ folder, port }) => ({
      "unbound.conf": `server:
  interface: 127.0.0.1@${port}
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: "${folder}/pid"
  do-daemonize: no
  use-syslog: no
  logfile: ""
  module-config: "iterator"
  do-not-query-localhost: yes
  local-zone: "example." static
  local-data: "example. 300 SOA ns.example. h.example. 7 3600 600 86400 60"
  local-data: "example. 300 NS ns.example."
  local-data: "host.example. 120 A 192.0.2.1"
  local-data: "host.example. 120 A 192.0.2.2"
  local-data: "host.example. 120 AAAA 2001:db8::1"
  local-data: "example. 300 MX 10 mail.example."
  local-data: "_s._tcp.example. 300 SRV 1 2 3 host.example."
  local-data: 'txt.example. 300 TXT "some text" "more"'
${
        Array.from({ length: 200 }, (_, i) => `  local-data: "many.example. 60 A 192.0.2.${i}"`)
          .join("\n")
      }
remote-control:
  control-enable: no
`,
    }),
  });

const dnsmasq = () =>
  startDnsPeer({
    command: "dnsmasq",
    question: ["host.corp", "A"],
    args: ({ port }) => [
      ...["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", `--port=${port}`],
      ...["--listen-address=127.0.0.1", "--bind-interfaces", "--local=/corp/", "--user="],
      ...["--host-record=host.corp,10.0.0.5,120", "--cname=www.corp,host.corp,60"],
      ...["--cname=out.corp,host.example", "--mx-host=corp,host.corp,5"],
    ],
    files: () => ({}),
  });

/** What a server answers whoever asks it himself. */
async function direct(query: Uint8Array, port: number): Promise<Uint8Array> {
  const message = parseMessage(query);
  assert(message.ok);
  const [question] = message.value.questions;
  assert(question !== undefined);
  const { signal } = new AbortController();
  const server = { hostname: "127.0.0.1", port };
  return (await askServer({ server, query, id: message.value.header.id, question, signal })).bytes;
}

/** The same as somebody else says it: names in the case of the question. */
const lower = (lines: readonly string[]) => lines.map((line) => line.toLowerCase()).sort();

testWithCommands(
  ["unbound", "dnsmasq", "dig"],
  "what unbound and dnsmasq answer is passed on, each for its zone",
  async () => {
    await using first = await unbound();
    await using second = await dnsmasq();
    const at = ({ port }: { port: number }) => [{ hostname: "127.0.0.1", port, isTrusted: false }];
    using forwarder = new Forwarder({
      allowRecursion: defaultAllowRecursion(),
      upstreams: at(first),
      zones: [{ zone: nameOf("corp"), upstreams: at(second) }],
    });
    for (
      const [question, { port }] of [
        ["host.example A", first],
        ["HOST.example AAAA", first],
        ["host.example TXT", first],
        ["example MX", first],
        ["example SOA", first],
        ["example NS", first],
        ["_s._tcp.example SRV", first],
        ["txt.example TXT", first],
        ["nothing.example A", first],
        ["many.example A", first],
        ["host.corp A", second],
        ["host.corp AAAA", second],
        ["www.corp A", second],
        ["corp MX", second],
        ["nothing.corp A", second],
      ] as const
    ) {
      for (const udpPayloadBytes of [undefined, 1232]) {
        const query = questionFor(
          question,
          udpPayloadBytes === undefined ? {} : { udpPayloadBytes },
        );
        const expected = readAnswer(await direct(query, port));
        for (let i = 0; i < 2; i++) {
          const octets = await forwarder.resolve(query, CLIENT);
          assert(octets !== undefined);
          const found = readAnswer(octets);
          assert.equal(found.code, expected.code, question);
          assert.deepEqual(lower(found.answer), lower(expected.answer), question);
          const soa = expected.authority.filter((line) => / soa /i.test(line));
          assert.equal(found.authority.length, soa.length, question);
        }
      }
    }
    // Where dnsmasq knows an alias and unbound what it stands for.
    const octets = await forwarder.resolve(questionFor("out.corp A"), CLIENT);
    assert(octets !== undefined);
    const [one, two, alias] = readAnswer(octets).answer;
    assert.equal(one, "host.example. 120 A 192.0.2.1");
    assert.equal(two, "host.example. 120 A 192.0.2.2");
    assert.match(alias ?? "", /^out\.corp\. [0-9]+ CNAME host\.example\.$/);
  },
);
