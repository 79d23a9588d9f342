import assert from "node:assert/strict";
import { ipv4 } from "../../../lib/addr/mod.ts";
import {
  DnsCounters,
  type Forwarder,
  Responder,
  type ZoneServices,
} from "../../../lib/dns_server/mod.ts";
import { framed } from "../../../lib/dns_server/frames.ts";
import { Session } from "../../../lib/dns_server/session.ts";
import { MAX_QUEUED } from "../../../lib/tcp/mod.ts";
import { ZoneTable } from "../../../lib/zones/mod.ts";
import { KeepingStream } from "../../support/keeping_stream.ts";
import { servingSettings } from "../../support/served_zones.ts";
import { APEX, queryFor, zoneOf } from "../../support/zone_samples.ts";

const OWN = queryFor("a.z. A");
const OTHER = queryFor("other.test. A");

/** A session whose forwarder answers when it is told to. */
function open({ services }: { readonly services?: Partial<ZoneServices> } = {}) {
  const stream = new KeepingStream();
  const asked: PromiseWithResolvers<Uint8Array<ArrayBuffer>>[] = [];
  const forwarder: Forwarder = {
    isAllowed: () => true,
    resolve: () => {
      const pending = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
      asked.push(pending);
      return pending.promise;
    },
  };
  const responder = new Responder({
    settings: servingSettings(),
    counters: new DnsCounters(),
    forwarder,
    ...services &&
      { services: { withKeys: (zones: ZoneTable) => zones, ...services } as ZoneServices },
    onFault: (error) => {
      throw error;
    },
  });
  responder.zones = new ZoneTable([zoneOf("z.", `${APEX}a A 192.0.2.1\n`)]);
  let isOver = false;
  const session = new Session(stream, {
    ...{ ip: ipv4(0x7f000001), transport: "tcp", responder, pipeline: 2 },
    onActivity: () => {},
    onEnd: () => isOver = true,
  });
  const send = (...messages: Uint8Array[]) => stream.sendBytes(framed(messages));
  return { stream, session, asked, send, isOver: () => isOver };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

Deno.test("Session has so many questions under way, and takes the next when one is answered", async () => {
  const { stream, asked, send, session } = open();
  send(OTHER, OTHER, OTHER, OTHER);
  await turn();
  assert.equal(asked.length, 2);
  assert.equal(stream.reading, false);
  assert.ok(session.isWaiting);
  asked[1]?.resolve(new Uint8Array(12).fill(2));
  await turn();
  await turn();
  assert.deepEqual(stream.messages().map(([first]) => first), [2]);
  assert.equal(asked.length, 3);
  for (const { resolve } of asked) resolve(new Uint8Array(12).fill(3));
  await turn();
  await turn();
  asked[3]?.resolve(new Uint8Array(12).fill(3));
  await turn();
  assert.equal(stream.messages().length, 4);
  assert.equal(asked.length, 4);
  assert.ok(stream.reading && !session.isWaiting);
});

Deno.test("Session answers 64 questions in one turn, and the next ones in others", async () => {
  const { stream, send } = open();
  send(...Array.from({ length: 130 }, () => OWN));
  assert.equal(stream.messages().length, 64);
  assert.equal(stream.reading, false);
  await turn();
  assert.equal(stream.messages().length, 128);
  await turn();
  assert.equal(stream.messages().length, 130);
  assert.equal(stream.reading, true);
});

Deno.test("Session takes no question after it was told to drain, and ends with the client", () => {
  const { stream, session, send, isOver } = open();
  send(OWN);
  session.drain();
  assert.equal(stream.ends, 1);
  send(OWN);
  assert.equal(stream.messages().length, 1);
  stream.sendEnd();
  assert.deepEqual([isOver(), stream.ending], [true, "close"]);
});

Deno.test("Session writes a long answer no faster than it is taken", async () => {
  let given = 0;
  async function* messages() {
    for (; given < 500; given++) yield await Promise.resolve(new Uint8Array(1000));
  }
  const transfer: ZoneServices["transfer"] = () =>
    Promise.resolve({ code: 0, messages: messages() } as Awaited<
      ReturnType<ZoneServices["transfer"]>
    >);
  const { stream, send, isOver } = open({ services: { transfer } });
  stream.stalled = true;
  send(queryFor("z. AXFR"));
  for (let i = 0; i < 2000; i++) await Promise.resolve();
  const held = given;
  assert.ok(held >= 1 && held * 1000 <= MAX_QUEUED + 2000, `${held} messages are held`);
  for (let i = 0; i < 2000; i++) await Promise.resolve();
  assert.equal(given, held);
  stream.drain();
  await turn();
  for (let i = 0; i < 5000; i++) await Promise.resolve();
  assert.equal(given, 500);
  assert.equal(stream.messages().length, 500);
  stream.sendEnd();
  await turn();
  assert.ok(isOver());
});
