/**
 * A client of tls-alpn-01 that can misbehave: no validator does, and everybody else may.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  answerChallenge,
  type ChallengeCertificate,
  type ChallengeStream,
} from "../../lib/acme_tls/mod.ts";
import { GROUPS } from "../../lib/acme_tls/hello.ts";
import { createShare, type Share } from "../../lib/acme_tls/key_exchange.ts";
import { finishedData, handshakeSecrets, hash } from "../../lib/acme_tls/key_schedule.ts";
import { message } from "../../lib/acme_tls/messages.ts";
import { uint, vector } from "../../lib/acme_tls/octets.ts";
import { concat } from "../../lib/wire/mod.ts";
import { firstRecord, plainRecord, RecordProtection } from "../../lib/acme_tls/records.ts";

/** What a hello says; each part can be made wrong. */
export interface HelloParts {
  readonly groups?: readonly number[];
  readonly shares?: readonly (readonly [group: number, share: Uint8Array])[];
  readonly suites?: readonly number[];
  readonly versions?: readonly number[];
  readonly schemes?: readonly number[];
  readonly random?: Uint8Array;
  readonly sessionId?: Uint8Array;
  readonly compression?: Uint8Array;
  readonly more?: Uint8Array;
}

const numbers = (list: readonly number[]) => concat(...list.map((each) => uint(2, each)));
const extension = (type: number, body: Uint8Array) => concat(uint(2, type), vector(2, body));

/** A ClientHello message. */
export function helloMessage(parts: HelloParts): Uint8Array<ArrayBuffer> {
  const shares = (parts.shares ?? []).map(([group, share]) =>
    concat(uint(2, group), vector(2, share))
  );
  const name = concat(Uint8Array.of(0), vector(2, new TextEncoder().encode("a.example")));
  return message(
    1,
    uint(2, 0x0303),
    parts.random ?? new Uint8Array(32).fill(7),
    vector(1, parts.sessionId ?? new Uint8Array(32).fill(9)),
    vector(2, numbers(parts.suites ?? [0x1301])),
    vector(1, parts.compression ?? Uint8Array.of(0)),
    vector(
      2,
      extension(0, vector(2, name)),
      extension(10, vector(2, numbers(parts.groups ?? [GROUPS.x25519, GROUPS.secp256r1]))),
      extension(13, vector(2, numbers(parts.schemes ?? [0x0403]))),
      extension(16, vector(2, vector(1, new TextEncoder().encode("acme-tls/1")))),
      extension(43, vector(1, numbers(parts.versions ?? [0x0304]))),
      extension(51, vector(2, ...shares)),
      parts.more ?? new Uint8Array(0),
    ),
  );
}

/** The client's end of a stream in memory. */
export class Pipe implements ChallengeStream {
  readonly written: Uint8Array[] = [];
  readonly #pieces: (Uint8Array | undefined)[] = [];
  #wake: (() => void) | undefined;

  async read(): Promise<Uint8Array | undefined> {
    while (this.#pieces.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.#pieces.shift();
  }

  write(octets: Uint8Array): void {
    this.written.push(octets.slice());
  }

  /** Sends octets, or the end. */
  send(octets: Uint8Array | undefined): void {
    this.#pieces.push(octets);
    this.#wake?.();
  }

  /** Everything the server has written so far. */
  get received(): Uint8Array {
    return concat(...this.written);
  }
}

/** A handshake as far as the server's flight, and what the client needs to end it. */
export interface Flight {
  readonly pipe: Pipe;
  readonly done: Promise<void>;
  /** Seals for the server. */
  readonly seal: RecordProtection;
  /** The Finished that is right. */
  readonly finished: Uint8Array;
}

/** Plays a client up to where its Finished is due. */
export async function startHandshake(
  certificate: ChallengeCertificate,
  group: number = GROUPS.x25519,
): Promise<Flight> {
  const share: Share = await createShare(group);
  const hello = helloMessage({ groups: [group], shares: [[group, share.publicShare]] });
  const pipe = new Pipe();
  const done = answerChallenge(plainRecord(22, hello), { ...certificate, stream: pipe });
  done.catch(() => {});
  while (pipe.written.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const first = firstRecord(pipe.received);
  assert(first !== undefined);
  const serverHello = first.record.content;
  const shared = await share.agree(
    serverHello.subarray(serverHello.length - share.publicShare.length),
  );
  const secrets = await handshakeSecrets(shared, await hash(hello, serverHello));
  const sealed = firstRecord(pipe.received.subarray(first.size + 6));
  assert(sealed !== undefined);
  const opened = await (await RecordProtection.create(secrets.server)).open(sealed.record);
  assert.equal(opened.type, 22);
  const transcript = await hash(hello, serverHello, opened.content);
  return {
    pipe,
    done,
    seal: await RecordProtection.create(secrets.client),
    finished: message(20, await finishedData(secrets.client, transcript)),
  };
}
