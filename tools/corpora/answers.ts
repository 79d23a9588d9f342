import { join } from "node:path";
import {
  encodeQuery,
  nameToText,
  octetsOf,
  parseMessage,
  rdataToText,
  readRdata,
  typeToText,
} from "../../lib/dns/mod.ts";
import { AuthoritativeAnswers, ZoneTable } from "../../lib/zones/mod.ts";
import { agrees, difference, differs, type Outcome } from "./outcome.ts";
import type { SharedZone } from "./zone_files.ts";

/** Zones that one process of BIND serves, each in a view for a source address of its own. */
const ZONES_AT_ONCE = 30;
const QUESTIONS_OF_ZONE = 120;
const WAIT_MS = 2000;
const TYPES = { A: 1, NS: 2, TXT: 16, DS: 43 } as const;

interface Question {
  readonly name: string;
  readonly type: number;
}

/** What of an answer has to be the same. */
interface Said {
  readonly head: string;
  readonly answer: readonly string[];
  readonly authority: readonly string[];
}

/** Asks BIND and us the same of each zone. */
export async function compareAnswers(zones: readonly SharedZone[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let at = 0; at < zones.length; at += ZONES_AT_ONCE) {
    const batch = zones.slice(at, at + ZONES_AT_ONCE);
    await using server = await startBind(batch);
    for (const [index, zone] of batch.entries()) {
      outcomes.push(...await compareZone(zone, (query) => server.ask(index, query)));
    }
  }
  return outcomes;
}

async function compareZone(
  { id, zone }: SharedZone,
  ask: (query: Uint8Array) => Promise<Uint8Array | undefined>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const answers = new AuthoritativeAnswers();
  const table = new ZoneTable([zone]);
  for (const { name, type } of questionsOf(zone)) {
    const query = encodeQuery({
      ...{ id: outcomes.length + 1, name: octetsOf(name), type, udpPayloadBytes: 65_000 },
    });
    query[2] = 0; // Nobody is to go on for us.
    const what = `${id} ${nameToText(octetsOf(name))} ${typeToText(type)}`;
    const theirs = await ask(query);
    const ours = answers.answer(query, { zones: table, transport: "tcp" });
    if (theirs === undefined || ours === undefined) {
      outcomes.push(agrees(what, "BIND does not answer"));
      continue;
    }
    const [own, other] = [read(ours), read(theirs)];
    if (other.head.startsWith("2") || other.head.startsWith("5")) {
      outcomes.push(agrees(what, "BIND does not serve the zone"));
      continue;
    }
    const found = [
      own.head === other.head ? "" : `ours ${own.head}, theirs ${other.head}`,
      difference(own.answer, other.answer),
      // Beside an answer the authority section is a courtesy.
      own.answer.length > 0 ? "" : difference(own.authority, other.authority),
    ].filter((text) => text !== "").join("; ");
    outcomes.push(found === "" ? agrees(what, "the same answer") : differs(what, found));
  }
  return outcomes;
}

function questionsOf({ nodes }: SharedZone["zone"]): Question[] {
  const questions: Question[] = [];
  for (const { name, sets } of nodes.values()) {
    for (const { type } of sets) questions.push({ name, type });
    questions.push({ name, type: TYPES.A }, { name, type: TYPES.DS });
    for (const label of ["\x02nx", "\x01a\x01b"]) {
      if (name.length + label.length < 255) questions.push({ name: label + name, type: TYPES.TXT });
    }
    if (questions.length > QUESTIONS_OF_ZONE) break;
  }
  return questions;
}

function read(octets: Uint8Array): Said {
  const message = parseMessage(octets);
  if (!message.ok) return { head: `unreadable: ${message.reason}`, answer: [], authority: [] };
  const { header, answers, authorities } = message.value;
  const words = (records: typeof answers) =>
    records.map(({ name, type, ttl, data }) => {
      const own = readRdata(octets, type, data);
      const text = own === undefined ? "?" : rdataToText(type, own);
      return `${nameToText(name)} ${ttl} ${typeToText(type)} ${text}`.toLowerCase();
    });
  const head = `${header.responseCode}${header.isAuthoritative ? " aa" : ""}`;
  return { head, answer: words(answers), authority: words(authorities) };
}

async function startBind(zones: readonly SharedZone[]) {
  const folder = await Deno.makeTempDir();
  const port = freePort();
  const views = await Promise.all(zones.map(async ({ origin, text }, i) => {
    await Deno.writeFile(join(folder, `zone${i}`), octetsOf(text));
    return `view v${i} { match-clients { ${sourceOf(i)}; };
      zone "${origin}" { type primary; file "zone${i}"; check-names ignore; check-integrity no; };
    };`;
  }));
  const config = `options { directory "${folder}"; listen-on port ${port} { 127.0.0.1; };
    listen-on-v6 { none; }; recursion no; pid-file none; session-keyfile none; notify no;
    max-udp-size 65535; edns-udp-size 4096; zone-statistics no; minimal-any no;
    dnssec-validation no; managed-keys-directory "${folder}"; empty-zones-enable no;
    max-cache-size 1m; masterfile-format text; check-spf ignore; check-srv-cname ignore;
    check-mx ignore; check-mx-cname ignore; check-dup-records ignore; check-wildcard no; };
    controls { }; ${views.join("\n")}`;
  await Deno.writeTextFile(join(folder, "named.conf"), config);
  const child = new Deno.Command("named", {
    args: ["-g", "-n", "1", "-c", join(folder, "named.conf")],
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
  const sockets = zones.map((_, i) =>
    Deno.listenDatagram({ transport: "udp", hostname: sourceOf(i), port: 0 })
  );
  const ask = async (index: number, query: Uint8Array) => {
    const socket = sockets[index] as Deno.DatagramConn;
    await socket.send(query, { transport: "udp", hostname: "127.0.0.1", port });
    const timeout = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => timeout.resolve(undefined), WAIT_MS);
    try {
      const [octets] = await Promise.race([socket.receive(), timeout.promise]) ?? [];
      return octets?.slice();
    } finally {
      clearTimeout(timer);
    }
  };
  await eventuallyListens(port);
  return {
    ask,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      for (const socket of sockets) socket.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function sourceOf(index: number): string {
  return `127.1.0.${index + 1}`;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function eventuallyListens(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error("named does not start");
}
