import assert from "node:assert/strict";
import { FrameFlag, FrameType } from "../../lib/h2/mod.ts";
import { eventually } from "../support/deadline.ts";
import { frame } from "../support/h2_raw.ts";
import { connectRawTls, HOST, startL7 } from "../support/l7.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

/** Requests in one write: some 10 KiB, as the field that costs is sent once and then named. */
const REQUESTS = 500;
/** A User-Agent that a pattern has to go through to its end; HPACK's table holds it. */
const USER_AGENT = "Mozilla bo".repeat(300);
/** No turn may have more than this part of all the work. */
const MAX_PART = 0.2;

const text = (value: string) => [...new TextEncoder().encode(value)];
/** GET, https, `/` and an authority, by HPACK's static table (RFC 7541 appendix A). */
const PSEUDO = [0x82, 0x87, 0x84, 0x01, HOST.length, ...text(HOST)];
/** Names user-agent by the static table, adds the field to the dynamic one. */
const FIRST_BLOCK = [
  ...PSEUDO,
  0x7a,
  0x7f,
  ...varint(USER_AGENT.length - 127),
  ...text(USER_AGENT),
];
/** The newest entry of that. */
const NEXT_BLOCK = [...PSEUDO, 0xbe];

/** The rest of an integer of two octets (RFC 7541 §5.1). */
function varint(value: number): number[] {
  return [0x80 | (value & 0x7f), value >> 7];
}

/** Processor time of this thread so far, in microseconds: others of the process run other tests. */
function cpuTime(): number {
  // The types of Deno 2.9.6 do not know it yet.
  const { threadCpuUsage } = process as unknown as { threadCpuUsage: typeof process.cpuUsage };
  const { user, system } = threadCpuUsage();
  return user + system;
}

/** Notes what each turn of the event loop costs until it is stopped. */
class TurnWatch {
  largest = 0;
  total = 0;
  #last = cpuTime();
  #running = true;

  start(): this {
    const look = () => {
      const now = cpuTime();
      this.largest = Math.max(this.largest, now - this.#last);
      this.total += now - this.#last;
      this.#last = now;
      if (this.#running) setImmediate(look);
    };
    setImmediate(look);
    return this;
  }

  stop(): void {
    this.#running = false;
  }
}

Deno.test("many requests in one write do not hold a thread: others come in between", async () => {
  const policies = Array.from({ length: 3 }, (_, i) => ({
    id: i + 1,
    type: "block_user_agent" as const,
    value: `/(bot|crawler|spider)${i}$|o$/`,
  }));
  await using proxy = await startL7({ backend: "127.0.0.1:1", policies });
  await using peer = await connectRawTls({ port: proxy.port, alpn: "h2" });
  await using client = await RawHttp2Client.over(peer);
  await client.write(client.headers(1, [":method", "GET"], true)); // Wakes everything up.
  const flags = FrameFlag.endHeaders | FrameFlag.endStream;
  const requests = Array.from(
    { length: REQUESTS },
    (_, i) => frame(FrameType.headers, flags, 2 * i + 3, i === 0 ? FIRST_BLOCK : NEXT_BLOCK),
  );
  const bytes = Buffer.concat(requests);
  assert.ok(bytes.length < 20_000, `${bytes.length} octets in one TLS record or two`);

  const watch = new TurnWatch().start();
  await client.write(bytes);
  await eventually(() => proxy.requests.length === REQUESTS, "every request is answered", 60_000);
  watch.stop();
  assert.deepEqual(new Set(proxy.requests.map(({ status }) => status)), new Set([403]));
  const part = watch.largest / watch.total;
  assert.ok(
    part < MAX_PART,
    `a turn took ${watch.largest / 1000} ms of ${watch.total / 1000} ms, ${part.toFixed(2)} of it`,
  );
});
