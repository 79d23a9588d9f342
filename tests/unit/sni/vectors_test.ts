import assert from "node:assert/strict";
import { ClientHelloReader, parseClientHello } from "../../../lib/sni/mod.ts";
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

for (const file of ["corpus_dev", "fuzz_dev", "reframed_dev"]) {
  vectorTest<Vector>(`clienthello/${file}.jsonl`, "parseClientHello() agrees whole", (vectors) => {
    for (const vector of vectors) {
      checkVerdict(vector, parseClientHello(Uint8Array.fromHex(vector.hex)));
    }
  });

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
);
