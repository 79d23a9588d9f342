import { RecordWalk } from "../sni/mod.ts";
import { concat } from "../wire/mod.ts";
import { AcmeTlsError } from "./error.ts";
import { type Offer, readOffer } from "./hello.ts";
import { createShare, type Share } from "./key_exchange.ts";
import {
  finishedData,
  type HandshakeSecrets,
  handshakeSecrets,
  hash,
  HASH_BYTES,
  serverTrafficSecret,
} from "./key_schedule.ts";
import {
  certificateMessage,
  certificateVerify,
  encryptedExtensions,
  HANDSHAKE,
  helloRetryRequest,
  message,
  serverHello,
  verifiedContent,
} from "./messages.ts";
import { EMPTY, vector } from "./octets.ts";
import {
  CHANGE_CIPHER_SPEC,
  CONTENT,
  firstRecord,
  plainRecord,
  type RawRecord,
  RecordProtection,
} from "./records.ts";

/** A Finished with its header, and what a client may send before it by mistake. */
const MAX_FINISHED = 4 + HASH_BYTES;
/** Change-cipher-spec records of one client: one, or one for each of its flights. */
const MAX_CHANGE_CIPHER_SPECS = 2;
/** close_notify, a warning (RFC 8446 §6.1). */
const CLOSE_NOTIFY = Uint8Array.of(1, 0);

/** What answers a challenge. */
export interface ChallengeCertificate {
  /** DER. */
  readonly certificate: Uint8Array;
  /** ECDSA on P-256, to sign with. */
  readonly key: CryptoKey;
}

/** The client's connection, from behind the ClientHello on. */
export interface ChallengeStream {
  /** What came next, of any length; `undefined` at the end. Rejects when it broke off. */
  read(): Promise<Uint8Array | undefined>;
  write(octets: Uint8Array): void;
}

/** What tests make come true. */
export interface HandshakeRandomness {
  readonly random?: Uint8Array;
  readonly share?: (group: number) => Promise<Share>;
}

/**
 * One TLS 1.3 handshake (RFC 8446) as the server of tls-alpn-01 (RFC 8737), because no TLS library of
 * the runtime presents a certificate with a critical extension that it does not know. It does what a
 * validator needs and nothing else: one cipher suite, two groups, one certificate, no resumption, no
 * data. Resolves when the client has proved to know the keys, with a close_notify sent.
 *
 * @param hello the octets of the stream that hold the ClientHello.
 * @throws {AcmeTlsError} if the client does not speak it; nothing more was written then.
 */
export async function answerChallenge(
  hello: Uint8Array,
  options: ChallengeCertificate & HandshakeRandomness & { readonly stream: ChallengeStream },
): Promise<void> {
  const { stream, certificate, key, share: makeShare = createShare } = options;
  const random = options.random ?? crypto.getRandomValues(new Uint8Array(32));
  const input = new Input(stream);
  const greeting = await agreeOnGroup(clientHello(hello), { stream, input });
  const { offer, group, transcript: before } = greeting;
  const share = await makeShare(group);
  const shared = await share.agree(offer.shares.get(group) as Uint8Array);
  const { sessionId } = offer;
  const ours = serverHello({ random, sessionId, group, share: share.publicShare });
  const secrets = await handshakeSecrets(shared, await hash(before, ours));
  const sealed = await sealFlight(concat(before, ours), { secrets, certificate, key });
  stream.write(concat(
    plainRecord(CONTENT.handshake, ours),
    greeting.retried ? EMPTY : CHANGE_CIPHER_SPEC,
    sealed.record,
  ));
  const wanted = await finishedData(secrets.client, await hash(sealed.transcript));
  await expectFinished(wanted, { input, secrets });
  const traffic = await serverTrafficSecret(secrets.handshake, await hash(sealed.transcript));
  stream.write(await (await RecordProtection.create(traffic)).seal(CONTENT.alert, CLOSE_NOTIFY));
}

/** A client that offers a group and no share of it is asked for one, once. */
async function agreeOnGroup(
  first: Uint8Array,
  { stream, input }: { readonly stream: ChallengeStream; readonly input: Input },
): Promise<{
  readonly offer: Offer;
  readonly group: number;
  readonly transcript: Uint8Array;
  readonly retried: boolean;
}> {
  const offer = readOffer(first);
  const ready = offer.groups.find((group) => offer.shares.has(group));
  if (ready !== undefined) return { offer, group: ready, transcript: first, retried: false };
  const group = offer.groups[0] as number;
  const retry = helloRetryRequest({ sessionId: offer.sessionId, group });
  stream.write(concat(plainRecord(CONTENT.handshake, retry), CHANGE_CIPHER_SPEC));
  const second = await input.clientHello();
  const again = readOffer(second);
  // RFC 8446 §4.1.2: the same hello, but for the share.
  if (
    !again.shares.has(group) || again.shares.size !== 1 ||
    !isSame(again.random, offer.random) || !isSame(again.sessionId, offer.sessionId)
  ) throw new AcmeTlsError("the client's second ClientHello is not what was asked for");
  // RFC 8446 §4.4.1: the first hello counts as its hash.
  const replaced = message(HANDSHAKE.messageHash, await hash(first));
  return { offer: again, group, transcript: concat(replaced, retry, second), retried: true };
}

/** Everything from EncryptedExtensions to Finished in one record, and the transcript up to it. */
async function sealFlight(
  hellos: Uint8Array,
  { secrets, certificate, key }: ChallengeCertificate & { readonly secrets: HandshakeSecrets },
): Promise<{ readonly record: Uint8Array; readonly transcript: Uint8Array }> {
  const beforeVerify = concat(encryptedExtensions(), certificateMessage(certificate));
  const content = verifiedContent(await hash(hellos, beforeVerify));
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = new Uint8Array(await crypto.subtle.sign(algorithm, key, content));
  const beforeFinished = concat(beforeVerify, certificateVerify(signature));
  const verify = await finishedData(secrets.server, await hash(hellos, beforeFinished));
  const flight = concat(beforeFinished, message(HANDSHAKE.finished, verify));
  const protection = await RecordProtection.create(secrets.server);
  const record = await protection.seal(CONTENT.handshake, flight);
  return { record, transcript: concat(hellos, flight) };
}

async function expectFinished(
  wanted: Uint8Array,
  { input, secrets }: { readonly input: Input; readonly secrets: HandshakeSecrets },
): Promise<void> {
  const protection = await RecordProtection.create(secrets.client);
  let received: Uint8Array = EMPTY;
  while (received.length < MAX_FINISHED) {
    const record = await input.record();
    if (record.type !== CONTENT.data) throw new AcmeTlsError("the client refuses, in the clear");
    const { type, content } = await protection.open(record);
    if (type === CONTENT.alert) {
      throw new AcmeTlsError(`the client refuses with alert ${content[1] ?? "of no kind"}`);
    }
    if (type !== CONTENT.handshake || content.length === 0) {
      throw new AcmeTlsError("the client sends something else than its Finished");
    }
    received = concat(received, content);
  }
  if (!isSame(received, concat(Uint8Array.of(HANDSHAKE.finished), vector(3, wanted)))) {
    throw new AcmeTlsError("the client's Finished is wrong");
  }
}

/** Records of the client, whatever pieces they come in. */
class Input {
  readonly #stream: ChallengeStream;
  #octets: Uint8Array = EMPTY;
  #changeCipherSpecs = 0;

  constructor(stream: ChallengeStream) {
    this.#stream = stream;
  }

  /** The next record that says something (RFC 8446 §5: change_cipher_spec does not). */
  async record(): Promise<RawRecord> {
    for (;;) {
      const first = firstRecord(this.#octets);
      if (first === undefined) {
        await this.#more();
        continue;
      }
      if (!this.#skips(first.record)) {
        this.#octets = this.#octets.subarray(first.size);
        return first.record;
      }
      this.#octets = this.#octets.subarray(first.size);
    }
  }

  /** The next ClientHello, which may come in several records. */
  async clientHello(): Promise<Uint8Array> {
    const walk = new RecordWalk();
    for (;;) {
      const first = firstRecord(this.#octets);
      if (first !== undefined && this.#skips(first.record)) {
        this.#octets = this.#octets.subarray(first.size);
        continue;
      }
      if (first !== undefined) break;
      await this.#more();
    }
    for (;;) {
      const found = walk.find(this.#octets);
      if (found.kind === "invalid") throw new AcmeTlsError(`a second ClientHello: ${found.reason}`);
      if (found.kind === "ok") {
        this.#octets = this.#octets.subarray(found.size);
        return found.value.slice();
      }
      await this.#more();
    }
  }

  #skips({ type, content }: RawRecord): boolean {
    if (type !== CONTENT.changeCipherSpec) return false;
    this.#changeCipherSpecs++;
    if (content.length !== 1 || content[0] !== 1) {
      throw new AcmeTlsError("a change_cipher_spec says something");
    }
    if (this.#changeCipherSpecs > MAX_CHANGE_CIPHER_SPECS) {
      throw new AcmeTlsError("the client sends one change_cipher_spec after the other");
    }
    return true;
  }

  async #more(): Promise<void> {
    const octets = await this.#stream.read();
    if (octets === undefined) throw new AcmeTlsError("the client has gone");
    this.#octets = concat(this.#octets, octets);
  }
}

function clientHello(hello: Uint8Array): Uint8Array {
  const found = new RecordWalk().find(hello);
  if (found.kind !== "ok") throw new AcmeTlsError("there is no whole ClientHello");
  // RFC 8446 §4.2.10: a client that we have given no ticket sends no early data.
  if (found.size < hello.length) throw new AcmeTlsError("octets follow the ClientHello");
  return found.value;
}

/** In constant time, where it matters. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] ?? 0);
  return difference === 0;
}
