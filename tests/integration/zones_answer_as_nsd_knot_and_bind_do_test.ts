import assert from "node:assert/strict";
import { join } from "node:path";
import { parseZoneFile, typeToText } from "../../lib/dns/mod.ts";
import { AuthoritativeAnswers, compileZone, type Zone, ZoneTable } from "../../lib/zones/mod.ts";
import { commandPath, testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { knotConfig, namedConfig, nsdConfig, type PeerPlace } from "../support/dns_peers.ts";
import { nameOf } from "../support/dns_server.ts";
import { createRandom, type Random } from "../support/fuzz.ts";
import { unusedPort } from "../support/ports.ts";
import { queryFor, type ReadAnswer, readAnswer } from "../support/zone_samples.ts";

const ORIGIN = "z.example.";
const APEX = [
  `${ORIGIN} 300 IN SOA ns.${ORIGIN} h.${ORIGIN} 7 3600 600 86400 60`,
  `${ORIGIN} 300 IN NS ns.${ORIGIN}`,
  `ns.${ORIGIN} 300 IN A 192.0.2.53`,
];
const LABELS = ["a", "b", "c", "*", "_x", "D"];
const TYPES = [1, 28, 15, 16, 5, 33, 2, 6, 39, 43, 12, 65280, 257];
const QUESTIONS = 200;
/** BIND loads no zone with a name server of its own that has no address, or gets it by an alias. */
const BIND_REFUSES = /^z\.example\. 300 IN NS .*z\.example\.$/;

function nameIn(random: Random, most: number): string {
  const labels = Array.from({ length: random.below(most + 1) }, () => random.pick(LABELS));
  return [...labels, ORIGIN].join(".");
}

function recordOf(random: Random): string {
  const target = random.below(4) === 0 ? "out.other." : nameIn(random, 3);
  const data = random.pick([
    `A 192.0.2.${random.below(250)}`,
    `A 192.0.2.${random.below(250)}`,
    `AAAA 2001:db8::${random.below(250)}`,
    `MX ${random.below(5)} ${target}`,
    `TXT "t${random.below(5)}"`,
    `CNAME ${target}`,
    `SRV 0 0 1 ${target}`,
    `NS ${target}`,
    `PTR ${target}`,
    `DNAME ${target}`,
    'CAA 0 issue "x"',
    `TYPE65280 \\# 1 0${random.below(9)}`,
  ]);
  return `${nameIn(random, 3)} 300 IN ${data}`;
}

/** Some forty records which together are a zone that this peer loads. */
function randomZone(random: Random, command: string): { zone: Zone; text: string } {
  const origin = nameOf(ORIGIN);
  let lines = APEX;
  let zone: Zone | undefined;
  for (let i = 0; i < 40; i++) {
    const record = recordOf(random);
    if (command === "named" && BIND_REFUSES.test(record)) continue;
    const more = [...lines, record];
    const { records, problems } = parseZoneFile(more.join("\n"), { origin });
    assert.deepEqual(problems, []);
    const result = compileZone(origin, records);
    if (result.ok) [lines, zone] = [more, result.zone];
  }
  assert(zone !== undefined);
  return { zone, text: `${lines.join("\n")}\n` };
}

const CONFIGURATIONS: Record<string, (place: PeerPlace) => string> = {
  nsd: (place) =>
    nsdConfig(place, `zone:\n  name: ${ORIGIN}\n  zonefile: zone\n`, "  rrl-ratelimit: 0\n"),
  knotd: (place) =>
    knotConfig(
      place,
      `zone:
  - domain: ${ORIGIN}
    storage: ${place.folder}
    file: zone
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
`,
    ),
  // Ours takes what these checks refuse, as the others do.
  named: (place) =>
    namedConfig(
      place,
      `zone "${ORIGIN}" { type primary; file "zone"; };\n`,
      `  zero-no-soa-ttl no;
  check-names primary ignore;
  check-mx ignore;
  check-mx-cname ignore;
  check-srv-cname ignore;
  check-integrity no;
`,
    ),
};

const ARGUMENTS: Record<string, readonly string[]> = { nsd: ["-d"], knotd: [], named: ["-f"] };

/** A name server of others that answers one question after the other. */
async function startServer(command: string, zoneText: string) {
  const folder = await Deno.makeTempDir();
  const port = await unusedPort();
  const file = join(folder, "server.conf");
  await Deno.writeTextFile(join(folder, "zone"), zoneText);
  await Deno.writeTextFile(file, CONFIGURATIONS[command]?.({ folder, port }) ?? "");
  const args = [...ARGUMENTS[command] ?? [], "-c", file];
  const child = new Deno.Command(commandPath(command) ?? command, {
    ...{ args, stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const answers: Uint8Array[] = [];
  const reading = (async () => {
    for await (const [octets] of socket) answers.push(octets);
  })();
  const stop = async () => {
    child.kill("SIGKILL");
    await child.status;
    socket.close();
    await reading;
    await Deno.remove(folder, { recursive: true });
  };
  const ask = async (query: Uint8Array): Promise<ReadAnswer> => {
    answers.length = 0;
    let sent = 0;
    const isOwn = ([high, low]: Uint8Array) => high === query[0] && low === query[1];
    await eventually(async () => {
      // A datagram may be lost, and at first nobody listens.
      if (sent++ % 20 === 0) {
        await socket.send(query, { transport: "udp", hostname: "127.0.0.1", port }).catch(() => {});
      }
      return answers.some(isOwn);
    }, `${command} answers`);
    return readAnswer(answers.find(isOwn) as Uint8Array);
  };
  // It may listen before it has loaded the zone: then it answers SERVFAIL or REFUSED.
  const isLoaded = async () => (await ask(queryFor(`${ORIGIN} SOA`))).code === 0;
  try {
    await eventually(isLoaded, `${command} loads the zone`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ask, [Symbol.asyncDispose]: stop };
}

/** What has to be the same; names of records that were asked for keep the case of the question. */
function compared({ code, flags, answer, authority }: ReadAnswer) {
  const words = (records: readonly string[]) => {
    return [...new Set(records.map((text) => text.toLowerCase()))].sort();
  };
  // Beside an answer the authority section is a courtesy.
  return {
    code,
    flags,
    answer: words(answer),
    authority: answer.length > 0 ? [] : words(authority),
  };
}

/** Whether the aliases of an answer lead to one another, and nowhere else. */
function isLoop({ answer }: ReturnType<typeof compared>): boolean {
  const aliases = answer.map((text) => text.split(" ")).filter(([, , type]) => type === "cname");
  const owners = new Set(aliases.map(([owner]) => owner));
  return aliases.length > 0 && aliases.every(([, , , target]) => owners.has(target));
}

/** What has to be answered where a peer answers `theirs`. */
function expected(command: string, theirs: ReturnType<typeof compared>) {
  // BIND gives a loop, too, but calls it its own failure: a resolver would ask all servers for it.
  const isFailure = command === "named" && theirs.code === 2 && isLoop(theirs);
  return isFailure ? { ...theirs, code: 0 } : theirs;
}

for (const command of Object.keys(CONFIGURATIONS)) {
  const given = Number(Deno.env.get("FUZZ_SEED") ?? NaN);
  const seed = Number.isInteger(given) ? given : crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  testWithCommands([command], `zones are answered as by ${command} (seed ${seed})`, async () => {
    const random = createRandom(seed);
    const { zone, text } = randomZone(random, command);
    const answers = new AuthoritativeAnswers();
    const zones = new ZoneTable([zone]);
    await using server = await startServer(command, text);
    for (let i = 0; i < QUESTIONS; i++) {
      const name = random.below(30) === 0 ? "x.other." : nameIn(random, 4).replaceAll("*", "q");
      const question = `${name} ${typeToText(random.pick(TYPES))}`;
      const query = queryFor(question, random.pick([undefined, 1232]), random.below(2) === 0);
      query.set([i >> 8, i & 0xff]);
      const own = answers.answer(query, { zones, transport: "udp" });
      assert(own !== undefined);
      const theirs = compared(await server.ask(query));
      assert.deepEqual(
        compared(readAnswer(own)),
        expected(command, theirs),
        `${question}\n${text}`,
      );
    }
  });
}
