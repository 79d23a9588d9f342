import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { encodeQuery, parseMessage } from "../../lib/dns/mod.ts";
import {
  defaultAllowRecursion,
  Forwarder,
  type ForwarderOptions,
} from "../../lib/dns_forward/mod.ts";
import {
  answerTo,
  type Asked,
  type Behaviour,
  DnsServer,
  nameOf,
  respondWith,
} from "../support/dns_server.ts";
import { clientAt } from "../support/forwarding.ts";
import { readAnswer } from "../support/zone_samples.ts";

const CLIENT = clientAt("127.0.0.1");
const NAME = "a.name.of.many.letters.example";
const TRUTH = `${NAME}. 60 A 192.0.2.1`;
const LIE = "203.0.113.66";

/** A forwarder, one upstream each for the behaviours, and what it answers. */
async function asking(
  behaviours: readonly Behaviour[],
  body: (ask: (name?: string) => Promise<{ code: number; answer: readonly string[] }>, parts: {
    readonly servers: readonly DnsServer[];
    readonly forwarder: Forwarder;
  }) => Promise<void>,
  options: ForwarderOptions = {},
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const servers = behaviours.map((behave) => stack.use(DnsServer.start(behave)));
  const upstreams = servers.map(({ port }) => ({ hostname: "127.0.0.1", port, isTrusted: false }));
  const forwarder = stack.use(
    new Forwarder({ allowRecursion: defaultAllowRecursion(), upstreams }, options),
  );
  const ask = async (name = NAME) => {
    const octets = await forwarder.resolve(
      encodeQuery({ id: 1, name: nameOf(name), type: 1 }),
      CLIENT,
    );
    assert(octets !== undefined);
    return readAnswer(octets);
  };
  await body(ask, { servers, forwarder });
}

function socketAt(hostname: string): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
}

const truth = (asked: Asked) => respondWith(asked, "192.0.2.1");
const lie = (asked: Asked) => respondWith(asked, LIE)[0] as Uint8Array;

for (
  const [what, strange] of [
    ["another id", (asked) => lie(asked).with(0, (lie(asked)[0] as number) ^ 1)],
    [
      "another question",
      (asked) => answerTo(asked.message, { question: { name: "b.example", type: 1 } }),
    ],
    [
      "another type",
      (asked) => answerTo(asked.message, { question: { name: asked.name, type: 28 } }),
    ],
    ["no answer", (asked) => lie(asked).with(2, 1)],
    ["another opcode", (asked) => lie(asked).with(2, 0xa1)],
    ["a pointer that loops", (asked) => {
      const octets = lie(asked).slice(0, 12 + asked.name.length + 6 + 12);
      octets.set([0xc0, 12 + asked.name.length + 6], 12 + asked.name.length + 6);
      return octets;
    }],
    ["half a message", (asked) => lie(asked).slice(0, -3)],
    ["a message and more", (asked) => Uint8Array.from([...lie(asked), 0])],
    ["65,535 records in 12 octets", () => Uint8Array.of(0, 0, 0x81, 0x80, 255, 255, 255, 255)],
    ["nothing", () => new Uint8Array(0)],
  ] as [string, (asked: Asked) => Uint8Array][]
) {
  Deno.test(`a datagram with ${what} is passed over, and the answer after it counts`, async () => {
    await asking([(asked) => [strange(asked), ...truth(asked)]], async (ask, { servers }) => {
      assert.deepEqual((await ask()).answer, [TRUTH]);
      assert.deepEqual(servers[0]?.asked.map(({ over }) => over), ["udp"]);
    });
  });
}

Deno.test("an answer from another port or address than the one that was asked is passed over", async () => {
  using stack = new DisposableStack();
  const other = stack.adopt(socketAt("127.0.0.1"), (it) => it.close());
  const elsewhere = stack.adopt(socketAt("127.0.0.9"), (it) => it.close());
  await asking([async (asked) => {
    const to = { transport: "udp", hostname: "127.0.0.1", port: asked.port } as const;
    await other.send(lie(asked), to);
    await elsewhere.send(lie(asked), to);
    return truth(asked);
  }], async (ask, { forwarder }) => {
    assert.deepEqual((await ask()).answer, [TRUTH]);
    assert.equal(forwarder.status.zones[0]?.upstreams[0]?.strangeDatagrams, 2);
  });
});

Deno.test("the first of two answers counts, and the second harms nothing", async () => {
  await asking([(asked) => [...truth(asked), lie(asked)]], async (ask) => {
    assert.deepEqual((await ask()).answer, [TRUTH]);
    assert.deepEqual((await ask("b.example")).answer, ["b.example. 60 A 192.0.2.1"]);
  });
});

Deno.test("an answer in another case is believed over TCP only", async () => {
  await asking([(asked) => {
    if (asked.over === "tcp") return truth(asked);
    return [answerTo(asked.message, {
      question: { name: NAME, type: 1 },
      answers: [{ name: NAME, type: "A", data: LIE }],
    })];
  }], async (ask, { servers: [server], forwarder }) => {
    assert.deepEqual((await ask()).answer, [TRUTH]);
    assert.deepEqual(server?.asked.map(({ over }) => over), ["udp", "tcp"]);
    // It keeps the case over TCP: whoever answered before was somebody else.
    assert.equal(forwarder.status.zones[0]?.upstreams[0]?.keepsCase, true);
  });
});

Deno.test("a server that folds case, over TCP too, is asked in lower case from then on", async () => {
  await asking([(asked) => {
    const name = asked.name.toLowerCase();
    const answers = [{ name, type: "A", data: "192.0.2.1" }] as const;
    return [answerTo(asked.message, { question: { name, type: 1 }, answers })];
  }], async (ask, { servers: [server] }) => {
    assert.deepEqual((await ask()).answer, [TRUTH]);
    await ask(`b.${NAME}`);
    assert.deepEqual(server?.asked.map(({ over }) => over), ["udp", "tcp", "udp"]);
    assert.equal(server?.asked[2]?.name, `b.${NAME}`);
  });
});

Deno.test("a server that folds case and has no TCP is asked once more, in lower case", async () => {
  // Its UDP alone.
  const udp = socketAt("127.0.0.1");
  const names: string[] = [];
  const serving = (async () => {
    for await (const [octets, from] of udp) {
      const message = parseMessage(octets);
      assert(message.ok);
      const name = message.value.questions[0]?.name ?? nameOf(".");
      names.push(String.fromCharCode(...name));
      const folded = answerTo(message.value, {
        question: { name: NAME, type: 1 },
        answers: [{ name: NAME, type: "A", data: "192.0.2.1" }],
      });
      await udp.send(folded, from);
    }
  })();
  const { port } = udp.addr as Deno.NetAddr;
  using forwarder = new Forwarder({
    allowRecursion: defaultAllowRecursion(),
    upstreams: [{ hostname: "127.0.0.1", port, isTrusted: false }],
  });
  const octets = await forwarder.resolve(
    encodeQuery({ id: 1, name: nameOf(NAME), type: 1 }),
    CLIENT,
  );
  assert.deepEqual(readAnswer(octets ?? new Uint8Array(0)).answer, [TRUTH]);
  assert.equal(names.length, 2);
  assert.notEqual(names[0], names[1]);
  assert.equal(names[1], names[1]?.toLowerCase());
  assert.equal(forwarder.status.zones[0]?.upstreams[0]?.keepsCase, false);
  udp.close();
  await serving;
});

Deno.test("who guesses ids at the right port has 32 guesses, and then it is asked over TCP", async () => {
  const guesses: number[] = [];
  await asking([(asked) => {
    if (asked.over === "tcp") return truth(asked);
    const { id } = asked.message.header;
    // All ids but the right one, and the case right, which nobody could see.
    const wrong = Array.from({ length: 100 }, (_, i) => (id + 1 + i) & 0xffff);
    guesses.push(...wrong);
    return wrong.map((id) =>
      answerTo(asked.message, { id, answers: [{ name: asked.name, type: "A", data: LIE }] })
    );
  }], async (ask, { servers: [server], forwarder }) => {
    assert.deepEqual((await ask()).answer, [TRUTH]);
    assert.deepEqual(server?.asked.map(({ over }) => over), ["udp", "tcp"]);
    assert.equal(forwarder.status.zones[0]?.upstreams[0]?.strangeDatagrams, 32);
  });
});

Deno.test("a flood of guesses at all ports at once finds none of 200 questions", async () => {
  // As Kaminsky's, but for what he cannot have: this one knows when a question is asked, and its case.
  using stack = new DisposableStack();
  const spoofer = stack.adopt(socketAt("127.0.0.1"), (it) => it.close());
  const ports = new Set<number>();
  const ids = new Set<number>();
  await asking([async (asked) => {
    ports.add(asked.port);
    ids.add(asked.message.header.id);
    for (let i = 0; i < 20; i++) {
      const to = {
        transport: "udp",
        hostname: "127.0.0.1",
        port: randomInt(32768, 61000),
      } as const;
      const guess = answerTo(asked.message, {
        id: randomInt(65536),
        answers: [{ name: asked.name, type: "A", data: LIE }],
      });
      await spoofer.send(guess, to);
    }
    return truth(asked);
  }], async (ask) => {
    for (let i = 0; i < 200; i++) {
      assert.deepEqual((await ask(`n${i}.${NAME}`)).answer, [`n${i}.${NAME}. 60 A 192.0.2.1`]);
    }
  });
  // 2^16 ids and 28,000 ports: two alike among 200 are rare, 20 are not to be seen.
  assert.ok(ports.size > 180, `${ports.size} ports`);
  assert.ok(ids.size > 180, `${ids.size} ids`);
});

Deno.test("a cut answer is asked for over TCP, up to the longest that there is", async () => {
  await asking([(asked) => {
    if (asked.over === "udp") return [answerTo(asked.message, { truncated: true })];
    const { name } = asked;
    const answers = Array.from({ length: 1400 }, (_, i) => (
      { name, type: "A", data: `192.0.${i >> 8}.${i & 255}` } as const
    ));
    return [answerTo(asked.message, { answers })];
  }], async (ask, { servers: [server] }) => {
    assert.equal((await ask()).answer.length, 1400);
    assert.deepEqual(server?.asked.map(({ over }) => over), ["udp", "tcp"]);
  });
});

Deno.test("an upstream that is silent, one that cuts TCP off and one that refuses: the fourth answers", async () => {
  await asking([
    () => [],
    (asked) => asked.over === "udp" ? [answerTo(asked.message, { truncated: true })] : [],
    (asked) => [answerTo(asked.message, { code: 5 })],
    truth,
  ], async (ask) => {
    assert.deepEqual((await ask()).answer, [TRUTH]);
  }, { patienceMs: 50 });
});

Deno.test("where no upstream answers, SERVFAIL comes in time, and no socket is left open", async () => {
  await asking([() => [], () => []], async (ask) => {
    assert.equal((await ask()).code, 2);
  }, { patienceMs: 20, deadlineMs: 100 });
});

Deno.test("a hundred clients' equal questions are one, and a hundred different ones do not mix", async () => {
  await asking([async (asked) => {
    await Promise.resolve();
    return respondWith(asked, `192.0.2.${asked.name.length}`);
  }], async (ask, { servers: [server] }) => {
    await Promise.all(Array.from({ length: 100 }, () => ask("same.example")));
    assert.equal(server?.asked.length, 1);
    const found = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(`n${i}.example`)));
    found.forEach(({ answer }, i) => {
      const name = `n${i}.example`;
      assert.deepEqual(answer, [`${name}. 60 A 192.0.2.${name.length}`]);
    });
  });
});
