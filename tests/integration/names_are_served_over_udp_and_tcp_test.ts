import assert from "node:assert/strict";
import { encodeOpt, encodeQuery, parseMessage, readEdns } from "../../lib/dns/mod.ts";
import { nameOf } from "../support/dns_server.ts";
import { testWithCommands } from "../support/commands.ts";
import { frame, serveZones, StreamClient, UdpClient } from "../support/served_zones.ts";
import { APEX, queryFor, readAnswer, zoneOf } from "../support/zone_samples.ts";

const LONG = Array.from({ length: 60 }, (_, i) => `long TXT "${`${i}`.padStart(40, "x")}"`);
const ZONE = zoneOf(
  "z.example",
  `${APEX}a A 192.0.2.1\na AAAA 2001:db8::1\n*.w TXT "any"\nc CNAME a\n${LONG.join("\n")}\n`,
);
const A = "a.z.example. 300 A 192.0.2.1";

/** Runs a client of others; what it prints. */
async function run(command: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** A question with options of EDNS. */
function queryWith(name: string, options: Parameters<typeof encodeOpt>[0]["options"] = []) {
  const query = encodeQuery({ id: 7, name: nameOf(name), type: 1 });
  query[11] = 1;
  const opt = encodeOpt({ payloadOctets: 1232, isDnssecOk: false, options });
  return Uint8Array.of(...query, ...opt);
}

/** How a connection ends that says nothing; a RST may come before its beginning is noticed. */
async function endOfConnection(to: { host: string; port: number }) {
  try {
    using client = await StreamClient.connect(to);
    return await client.receive();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return "rst";
    throw error;
  }
}

function optionsOf(answer: Uint8Array) {
  const message = parseMessage(answer);
  assert(message.ok);
  const edns = readEdns(message.value, answer);
  assert(edns !== undefined && edns !== "invalid");
  return edns.options.map(({ code, value }) => [code, value.toHex()] as const);
}

Deno.test("questions are answered over UDP and TCP, and what is too long for UDP is cut", async () => {
  await using served = await serveZones([ZONE]);
  using udp = new UdpClient(served);
  using tcp = await StreamClient.connect(served);
  for (const client of [udp, tcp]) {
    const { answer, code, flags } = readAnswer(await client.ask(queryFor("a.z.example A")));
    assert.deepEqual([code, flags, answer], [0, ["aa"], [A]]);
  }
  for (const [octets, limit] of [[undefined, 512], [900, 900], [65_535, 1232]] as const) {
    const cut = await udp.ask(queryFor("long.z.example TXT", octets));
    assert(cut.length <= limit, `${cut.length} octets`);
    assert.deepEqual(readAnswer(cut).flags, ["aa", "tc"]);
  }
  const whole = readAnswer(await tcp.ask(queryFor("long.z.example TXT")));
  assert.deepEqual([whole.flags, whole.answer.length], [["aa"], 60]);
  assert.equal(served.counters.get("truncated"), 3);
  assert.equal(served.counters.get("udp_messages"), 4);
  assert.equal(served.counters.get("tcp_messages"), 2);
});

Deno.test("the zones are replaced between two questions", async () => {
  await using served = await serveZones([ZONE]);
  using udp = new UdpClient(served);
  assert.deepEqual(readAnswer(await udp.ask(queryFor("a.z.example A"))).answer, [A]);
  served.server.zones = served.server.zones.with(zoneOf("z.example", `${APEX}a A 192.0.2.9\n`));
  assert.deepEqual(readAnswer(await udp.ask(queryFor("a.z.example A"))).answer, [
    "a.z.example. 300 A 192.0.2.9",
  ]);
});

Deno.test("cookies are given, known again, and malformed ones refused (RFC 7873)", async () => {
  await using served = await serveZones([ZONE]);
  using udp = new UdpClient(served);
  const client = Uint8Array.fromHex("2464c4abcf10c957");
  const [[code, cookie = ""] = [], ...more] = optionsOf(
    await udp.ask(queryWith("a.z.example", [{ code: 10, value: client }])),
  );
  assert.deepEqual([code, cookie.length, more], [10, 48, []]);
  assert(cookie.startsWith("2464c4abcf10c95701000000"));
  const again = { code: 10, value: Uint8Array.fromHex(cookie) };
  assert.deepEqual(optionsOf(await udp.ask(queryWith("a.z.example", [again]))), [[10, cookie]]);
  assert.equal(served.counters.get("cookies_valid"), 1);
  const bad = await udp.ask(queryWith("a.z.example", [{ code: 10, value: client.slice(1) }]));
  assert.equal(readAnswer(bad).code, 1);
  assert.deepEqual(optionsOf(bad), []);
  assert.deepEqual(optionsOf(await udp.ask(queryWith("a.z.example"))), []);
});

Deno.test("what is no question of ours is refused in the way that there is for it", async () => {
  await using served = await serveZones([ZONE]);
  using udp = new UdpClient(served);
  const codeOf = async (octets: Uint8Array) => {
    const answer = await udp.ask(octets);
    return [(answer[2] as number) & 0x80, (answer[3] as number) & 15];
  };
  const query = queryFor("a.z.example A", 1232);
  const changed = (at: number, value: number) => query.with(at, value) as Uint8Array;
  assert.deepEqual(await codeOf(queryFor("a.other.example A")), [0x80, 5], "not our zone");
  assert.deepEqual(await codeOf(changed(2, 4 << 3)), [0x80, 4], "NOTIFY");
  assert.deepEqual(await codeOf(changed(2, 2 << 3)), [0x80, 4], "STATUS");
  assert.deepEqual(await codeOf(changed(5, 2)), [0x80, 1], "two questions, one there");
  assert.deepEqual(await codeOf(changed(5, 0)), [0x80, 1], "no question");
  // The class is before EDNS' eleven octets.
  assert.deepEqual(await codeOf(changed(query.length - 12, 3)), [0x80, 5], "CHAOS");
  const version = await udp.ask(changed(query.length - 5, 1));
  assert.equal((version[3] as number) & 15, 0);
  assert.equal(version[version.length - 6], 1, "BADVERS is 16");
  const any = readAnswer(await udp.ask(queryFor("a.z.example ANY")));
  assert.deepEqual(any.answer, [A], "ANY is minimal");
  for (const type of ["AXFR", "IXFR"]) {
    assert.equal(readAnswer(await udp.ask(queryFor(`z.example ${type}`))).code, 5, type);
  }
});

Deno.test("answers, and questions from ports that nobody asks from, get no answer", async () => {
  await using served = await serveZones([ZONE], { host: "127.0.0.7" });
  using udp = new UdpClient(served);
  const query = queryFor("a.z.example A");
  await udp.send(query.with(2, (query[2] as number) | 0x80) as Uint8Array);
  await udp.send(query.slice(0, 11));
  await udp.send(new Uint8Array());
  // Port 7 is that of echo; whoever sends from there would get every answer back.
  let expected = 3;
  try {
    using echo = new UdpClient(served, { fromPort: 7 });
    await echo.send(query);
    expected++;
  } catch (error) {
    // Only root may have it.
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
  // The next answer is that of the next question: there was none before it.
  const answer = await udp.ask(query.with(1, 99) as Uint8Array);
  assert.equal(answer[1], 99);
  assert.equal(served.counters.get("ignored"), expected);
});

Deno.test("answers come from the address that was asked, on IPv6 too", async () => {
  await using v6 = await serveZones([ZONE], { host: "::1" });
  using client = new UdpClient(v6);
  const { answer } = readAnswer(await client.ask(queryFor("a.z.example A")));
  assert.deepEqual(answer, [A]);
  using tcp = await StreamClient.connect(v6);
  assert.deepEqual(readAnswer(await tcp.ask(queryFor("a.z.example A"))).answer, [A]);
});

Deno.test("the port of UDP is taken by nobody else", async () => {
  await using served = await serveZones([ZONE]);
  assert.throws(
    () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: served.port }),
    Deno.errors.AddrInUse,
  );
});

testWithCommands(["dig"], "dig gets its answers, over UDP and TCP and with a cookie", async () => {
  await using served = await serveZones([ZONE]);
  const dig = (...args: string[]) =>
    run("dig", ["@127.0.0.1", "-p", `${served.port}`, "+tries=1", "+timeout=10", ...args]);
  assert.match(await dig("+short", "a.z.example"), /^192\.0\.2\.1\n$/);
  assert.match(await dig("+tcp", "+short", "x.w.z.example", "TXT"), /^"any"\n$/);
  const whole = await dig("+bufsize=4096", "long.z.example", "TXT");
  assert.match(whole, /Truncated, retrying in TCP mode/);
  assert.match(whole, /ANSWER: 60/);
  const first = await dig("a.z.example");
  assert.match(first, /COOKIE: [0-9a-f]{48} \(good\)/);
  assert.match(first, /flags: qr aa rd;/);
  assert.match(
    await dig("+header-only"),
    /status: NOERROR[^]*QUERY: 0[^]*COOKIE: [0-9a-f]{48} \(good\)/,
  );
  assert.match(await dig("+header-only", "+nocookie"), /status: FORMERR/);
  assert.match(await dig("CH", "TXT", "version.bind"), /status: REFUSED/);
  assert.match(await dig("+edns=1", "+noednsneg", "a.z.example"), /status: BADVERS/);
});

testWithCommands(["kdig", "drill"], "kdig and drill get their answers", async () => {
  await using served = await serveZones([ZONE]);
  const port = `${served.port}`;
  const kdig = (...args: string[]) => run("kdig", ["@127.0.0.1", "-p", port, ...args]);
  assert.match(await kdig("+short", "c.z.example", "A"), /^a\.z\.example\.\n192\.0\.2\.1\n$/);
  assert.match(await kdig("+tcp", "+keepopen", "nothing.z.example", "A"), /status: NXDOMAIN/);
  assert.match(await kdig("+cookie", "a.z.example"), /COOKIE|status: NOERROR/);
  const drill = (...args: string[]) => run("drill", ["-p", port, ...args, "@127.0.0.1"]);
  assert.match(await drill("a.z.example", "AAAA"), /2001:db8::1/);
  assert.match(await drill("-t", "a.z.example", "A"), /192\.0\.2\.1/);
});

Deno.test("questions of one connection are answered wherever the stream is cut", async () => {
  await using served = await serveZones([ZONE]);
  const questions = ["a.z.example A", "no.z.example A", "a.z.example AAAA"];
  const octets = Uint8Array.of(...questions.flatMap((text) => [...frame(queryFor(text))]));
  for (let cut = 1; cut < octets.length; cut += 3) {
    using tcp = await StreamClient.connect(served);
    await tcp.write(octets.subarray(0, cut));
    await tcp.write(octets.subarray(cut));
    const codes: number[] = [];
    for (const _ of questions) {
      const answer = await tcp.receive();
      assert(typeof answer !== "string", `cut at ${cut}: ${answer}`);
      codes.push(readAnswer(answer).code);
    }
    assert.deepEqual(codes, [0, 3, 0], `cut at ${cut}`);
  }
  using slow = await StreamClient.connect(served);
  for (const octet of octets) await slow.write(Uint8Array.of(octet));
  for (const _ of questions) assert.notEqual(typeof await slow.receive(), "string");
});

Deno.test("a client that has said all gets all answers, and then a FIN", async () => {
  await using served = await serveZones([ZONE]);
  using tcp = await StreamClient.connect(served);
  const questions = Array.from({ length: 500 }, () => [...frame(queryFor("a.z.example A"))]);
  await tcp.write(Uint8Array.from(questions.flat()));
  await tcp.end();
  for (let i = 0; i < 500; i++) {
    assert.notEqual(typeof await tcp.receive(), "string", `answer ${i}`);
  }
  assert.equal(await tcp.receive(), "fin");
});

Deno.test("a message without a header ends the connection with a RST, and a length alone waits", async () => {
  await using served = await serveZones([ZONE], { limits: { tcpIdleMs: 400 } });
  for (const short of [new Uint8Array(), new Uint8Array(11)]) {
    using tcp = await StreamClient.connect(served);
    await tcp.write(frame(short));
    assert.equal(await tcp.receive(), "rst");
  }
  using lying = await StreamClient.connect(served);
  await lying.write(Uint8Array.of(255, 255, ...queryFor("a.z.example A")));
  // Octets that go on coming are no question.
  assert.equal(await lying.receive(), "rst");
  assert.equal(served.counters.get("connections_cut"), 1);
});

Deno.test("a source has only so many connections, and the silent give way to the newest", async () => {
  await using served = await serveZones([ZONE], {
    limits: { tcpConnections: 4, tcpPerSource: 8 },
  });
  const query = queryFor("a.z.example A");
  using stack = new DisposableStack();
  const clients: StreamClient[] = [];
  for (let i = 0; i < 4; i++) {
    const client = stack.use(await StreamClient.connect(served));
    await client.ask(query);
    clients.push(client);
  }
  using newest = await StreamClient.connect(served);
  assert.deepEqual(readAnswer(await newest.ask(query)).answer, [A]);
  assert.equal(await clients[0]?.receive(), "rst");
  assert.deepEqual(readAnswer(await (clients[1] as StreamClient).ask(query)).answer, [A]);

  await using strict = await serveZones([ZONE], { limits: { tcpPerSource: 1 } });
  using only = await StreamClient.connect(strict);
  await only.ask(query);
  assert.equal(await endOfConnection(strict), "rst");
  assert.deepEqual(readAnswer(await only.ask(query)).answer, [A]);
});

Deno.test("a client that does not read its answers is cut, and holds no more than a little", async () => {
  await using served = await serveZones([ZONE], { limits: { tcpIdleMs: 500 } });
  using tcp = await StreamClient.connect(served);
  const questions = frame(queryFor("long.z.example TXT"));
  const many = new Uint8Array(questions.length * 2000);
  for (let i = 0; i < 2000; i++) many.set(questions, i * questions.length);
  // Of some gigabyte of answers the kernel takes a few megabytes.
  await assert.rejects(async () => {
    for (let i = 0; i < 200; i++) await tcp.write(many);
  });
  assert(served.counters.get("tcp_messages") < 100_000);
  assert.equal(served.counters.get("connections_cut"), 1);
  using next = await StreamClient.connect(served);
  assert.deepEqual(readAnswer(await next.ask(queryFor("a.z.example A"))).answer, [A]);
});

Deno.test("a server that drains answers what was asked, and ends what goes on", async () => {
  const served = await serveZones([ZONE]);
  using tcp = await StreamClient.connect(served);
  await tcp.ask(queryFor("a.z.example A"));
  const drained = served.server.drain(10_000);
  assert.equal(await tcp.receive(), "fin");
  await tcp.end();
  await drained;
  await assert.rejects(StreamClient.connect(served), Deno.errors.ConnectionRefused);
  await served[Symbol.asyncDispose]();
});

Deno.test("a server that drains cuts who does not end in time", async () => {
  const served = await serveZones([ZONE]);
  using tcp = await StreamClient.connect(served);
  await tcp.ask(queryFor("a.z.example A"));
  await served.server.drain(100);
  assert.equal(await tcp.receive(), "fin");
  await served[Symbol.asyncDispose]();
});
