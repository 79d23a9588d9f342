import assert from "node:assert/strict";
import { ClientHelloReader, parseClientHello } from "../../../lib/sni/mod.ts";
import { buildClientHello } from "../../support/hello.ts";
import { createRandom } from "../../support/fuzz.ts";
import { vectorTest } from "../../support/vectors.ts";

interface Vector {
  readonly id: string;
  readonly hex: string;
  readonly verdict?: string;
  readonly sni?: string | null;
  readonly observed?: Record<string, string>;
}

type Answer = ReturnType<typeof parseClientHello>;

/** Names all other implementations pass on and this parser refuses, by its rule for hostnames. */
const NOT_A_HOSTNAME = /^[0-9.]+$|[[\]]/;

function nameOf(answer: Answer): string {
  return answer.kind === "ok" ? answer.value.serverName ?? "" : "";
}

function checkVerdict({ id, verdict, sni, observed }: Vector, answer: Answer): void {
  const name = nameOf(answer);
  switch (verdict) {
    case undefined:
    case "sni":
      if (NOT_A_HOSTNAME.test(sni ?? "")) {
        assert(answer.kind === "invalid" && /no hostname/.test(answer.reason), id);
      } else {
        assert.equal(name, sni?.toLowerCase(), id);
      }
      break;
    case "divergent": {
      const given = Object.values(observed ?? {}).map((text) => text.toLowerCase());
      assert(answer.kind !== "ok" || name === "" || given.includes(name), `${id}: ${name}`);
      break;
    }
    case "no_sni":
      assert.notEqual(answer.kind, "need", id);
      assert.equal(name, "", id);
      break;
    case "sslv2_hello":
    case "not_tls":
      assert.equal(answer.kind, "invalid", id);
      break;
    default:
      assert.equal(verdict, "incomplete_or_malformed", id);
      assert.notEqual(answer.kind, "ok", id);
  }
}

/** Feeds the stream cut at the given places; the first answer that is not `need` must be the last. */
function checkCuts(id: string, bytes: Uint8Array, cuts: Iterable<number>): void {
  const whole = parseClientHello(bytes);
  const reader = new ClientHelloReader();
  for (const cut of cuts) {
    const prefix = bytes.subarray(0, cut);
    const answer = reader.read(prefix);
    assert.deepEqual(parseClientHello(prefix), answer, `${id} cut at ${cut}`);
    if (answer.kind !== "need") {
      assert.deepEqual(answer, whole, `${id} cut at ${cut}`);
      return;
    }
  }
  assert.deepEqual(reader.read(bytes), whole, id);
}

/** Each record's start ±1, as far as the headers lead. */
function recordEdges(bytes: Uint8Array): number[] {
  const edges: number[] = [];
  for (let at = 0; at < bytes.length;) {
    for (const cut of [at - 1, at, at + 1, at + 4, at + 5, at + 6]) {
      if (cut > (edges.at(-1) ?? 0) && cut < bytes.length) edges.push(cut);
    }
    at += 5 + (bytes[at + 3] ?? 0) * 256 + (bytes[at + 4] ?? 0);
  }
  return edges;
}

function every(step: number, length: number): number[] {
  return Array.from({ length: Math.floor((length - 1) / step) }, (_, i) => (i + 1) * step);
}

/** Hellos of a builder that shares no code with the parser, for where those of others are missing. */
const OWN: Readonly<Record<string, () => Vector[]>> = {
  "corpus_dev": () =>
    ["a.example", "A.EXAMPLE", "x--1.b.example", "long".repeat(15) + ".example", undefined].flatMap(
      (sni) =>
        [{}, { grease: true }, { ech: true }, { versions: [] }, { sessionIdLength: 0 }].map(
          (options, i) => {
            const name = sni === undefined ? {} : { serverName: sni };
            const hex = buildClientHello({ ...options, ...name }).toHex();
            return { id: `${sni} ${i}`, hex, verdict: sni ? "sni" : "no_sni", sni: sni ?? null };
          },
        ),
    ),
  "fuzz_dev": () => {
    const whole = buildClientHello({ serverName: "a.example" });
    return Array.from({ length: whole.length - 1 }, (_, i) => {
      const hex = whole.subarray(0, i + 1).toHex();
      return { id: `${i + 1} octets`, hex, verdict: "incomplete_or_malformed" };
    });
  },
  "reframed_dev": () =>
    [1, 2, 5, 50, 90, 130].map((size) => {
      const message = buildClientHello({ serverName: "a.example" }).subarray(5);
      const records = Array.from({ length: Math.ceil(message.length / size) }, (_, i) => {
        const piece = message.subarray(i * size, (i + 1) * size);
        return [0x16, 3, 1, piece.length >> 8, piece.length & 255, ...piece];
      });
      const hex = Uint8Array.from(records.flat()).toHex();
      return { id: `records of ${size}`, hex, verdict: "sni", sni: "a.example" };
    }),
};

for (const file of ["corpus_dev", "fuzz_dev", "reframed_dev"]) {
  vectorTest<Vector>(`clienthello/${file}.jsonl`, "parseClientHello() agrees whole", (vectors) => {
    for (const vector of vectors) {
      checkVerdict(vector, parseClientHello(Uint8Array.fromHex(vector.hex)));
    }
  }, OWN[file]);

  vectorTest<Vector>(
    `clienthello/${file}.jsonl`,
    "parseClientHello() gives the same answer however the stream is cut",
    (vectors) => {
      const random = createRandom(0x5311);
      for (const { id, hex } of vectors) {
        const bytes = Uint8Array.fromHex(hex);
        checkCuts(id, bytes, every(1, bytes.length));
        checkCuts(id, bytes, recordEdges(bytes));
        checkCuts(id, bytes, every(1_460, bytes.length));
        const cuts = Array.from({ length: 5 }, () => 1 + random.below(bytes.length));
        checkCuts(id, bytes, cuts.sort((a, b) => a - b));
      }
    },
    OWN[file],
  );
}

vectorTest<{ hex: string }>(
  "clienthello/not_tls_at_start.jsonl",
  "parseClientHello() refuses streams of other protocols at their first octet",
  (vectors) => {
    for (const { hex } of vectors) {
      const bytes = Uint8Array.fromHex(hex);
      assert.equal(parseClientHello(bytes.subarray(0, 1)).kind, "invalid");
      checkCuts(hex.slice(0, 16), bytes, every(1, bytes.length));
    }
  },
  () =>
    ["GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "\0\0"]
      .map((text) => ({ hex: new TextEncoder().encode(text).toHex() })),
);
