/**
 * Questions over TCP, however the stream is cut: what is answered does not depend on it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ipv4 } from "../../../lib/addr/mod.ts";
import { parseMessage } from "../../../lib/dns/mod.ts";
import { DnsCounters, Responder } from "../../../lib/dns_server/mod.ts";
import { Session } from "../../../lib/dns_server/session.ts";
import { concat } from "../../../lib/wire/mod.ts";
import { ZoneTable } from "../../../lib/zones/mod.ts";
import { KeepingStream } from "../../support/keeping_stream.ts";
import type { Random } from "../../support/fuzz.ts";
import type { FuzzTarget } from "../../support/fuzz_target.ts";
import { servingSettings } from "../../support/served_zones.ts";
import { APEX, queryFor, zoneOf } from "../../support/zone_samples.ts";

const QUESTIONS = ["z. SOA", "a.z. A", "no.z. A", "other.test. A", "z. ANY", "z. AXFR"];
const ZONE = zoneOf("z.", `${APEX}a A 192.0.2.1\n`);
/** Questions that one connection may have under way: fewer than an input has. */
const PIPELINE = 4;

interface Run {
  readonly answers: readonly Uint8Array[];
  readonly isReset: boolean;
}

/** Sends octets in pieces, each when it is read, then a FIN. */
async function run(bytes: Uint8Array, ends: readonly number[]): Promise<Run> {
  const stream = new KeepingStream();
  const responder = new Responder({
    settings: servingSettings(),
    counters: new DnsCounters(),
    onFault: (error) => {
      throw error;
    },
  });
  responder.zones = new ZoneTable([ZONE]);
  let isOver = false;
  new Session(stream, {
    ...{ ip: ipv4(0x7f000001), transport: "tcp", responder, pipeline: PIPELINE },
    onActivity: () => {},
    onEnd: () => isOver = true,
  });
  let start = 0;
  for (const end of ends) {
    while (!stream.reading && !stream.closed) await turn();
    if (stream.closed) break;
    stream.sendBytes(bytes.slice(start, end));
    start = end;
  }
  if (!stream.closed) stream.sendEnd();
  while (!isOver) await turn();
  const answers = stream.messages();
  assert.equal(stream.ending, answersEnd(bytes) ? "close" : "reset");
  return { answers, isReset: stream.ending === "reset" };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whether the connection ends well: no message is too short to be one. */
function answersEnd(bytes: Uint8Array): boolean {
  return framesOf(bytes).every(({ length }) => length >= 12);
}

function framesOf(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const end = at + 2 + ((bytes[at] as number) << 8 | (bytes[at + 1] as number));
    if (end > bytes.length) break;
    found.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return found;
}

function randomFrame(random: Random): Uint8Array {
  const message = queryFor(random.pick(QUESTIONS));
  message.set(random.bytes(2));
  if (random.below(6) === 0) message[random.below(message.length)] = random.below(256);
  const octets = random.below(20) === 0 ? random.bytes(random.below(30)) : message;
  const length = octets.length + (random.below(30) === 0 ? random.below(40) - 20 : 0);
  const said = Math.max(0, length);
  return concat(Uint8Array.of(said >> 8, said & 255), octets);
}

/** What a connection of DNS over TCP is sent. */
export const DNS_SESSION: FuzzTarget = {
  name: "dns_session",
  rounds: 150,
  make: (random) => concat(...Array.from({ length: random.below(8) }, () => randomFrame(random))),
  async check(bytes, random) {
    const every = Array.from(bytes, (_, i) => i + 1);
    const some = every.filter((end) => end === bytes.length || random.below(6) === 0);
    const [whole, each, cut] = [
      await run(bytes, [bytes.length]),
      await run(bytes, every),
      await run(bytes, some),
    ];
    for (const { answers, isReset } of [each, cut]) {
      assert.equal(isReset, whole.isReset);
      // What was answered in the turn of a message that is none is not said any more.
      if (isReset) assert.deepEqual(whole.answers, answers.slice(0, whole.answers.length));
      else assert.deepEqual(answers, whole.answers);
    }
    const asked = framesOf(bytes).filter(({ length }) => length >= 12);
    const answered = asked.filter((own) => ((own[2] as number) & 0x80) === 0);
    if (!whole.isReset) assert.equal(whole.answers.length, answered.length);
    for (const answer of whole.answers) assert.ok(parseMessage(answer).ok || answer.length === 12);
  },
};
