import {
  type Edns,
  foldCase,
  type OctetString,
  octetString,
  parseMessage,
  readEdns,
  TYPE,
} from "../dns/mod.ts";

const HEADER_OCTETS = 12;
const OPT_OCTETS = 11;
const QUESTION_TAIL = 4;
const MAX_NAME = 255;
const MAX_LABEL = 63;

/** Bits of a header's second word (RFC 1035 §4.1.1, RFC 4035 §3). */
export const FLAG = Object.freeze({
  response: 0x8000,
  opcode: 0x7800,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  authenticData: 0x0020,
  checkingDisabled: 0x0010,
});

/** One question of a client, and how it wants the answer. */
export interface ClientQuery {
  readonly id: number;
  readonly flags: number;
  /** As it was asked. */
  readonly name: OctetString;
  /** Its case folded. */
  readonly key: OctetString;
  readonly type: number;
  readonly class: number;
  /** Of EDNS; undefined: the client does not speak it. */
  readonly edns: Pick<Edns, "version" | "payloadOctets" | "isDnssecOk"> | undefined;
}

/** What a message is where it is no {@link ClientQuery}. */
export type NoQuery = "response" | "malformed" | "other_opcode";

/** Reads a client's message. */
export function readQuery(octets: Uint8Array): ClientQuery | NoQuery {
  if (octets.length < HEADER_OCTETS) return "response";
  const flags = u16At(octets, 2);
  if ((flags & FLAG.response) !== 0) return "response";
  if ((flags & FLAG.opcode) !== 0) return "other_opcode";
  return readPlain(octets, flags) ?? readAny(octets, flags);
}

/** What nearly all are: one question, nothing else but an OPT without options. */
function readPlain(octets: Uint8Array, flags: number): ClientQuery | undefined {
  const additionals = u16At(octets, 10);
  if (u16At(octets, 4) !== 1 || u16At(octets, 6) !== 0 || u16At(octets, 8) !== 0) return undefined;
  let at = HEADER_OCTETS;
  for (let length = octets[at]; length !== 0; length = octets[at]) {
    if (length === undefined || length > MAX_LABEL) return undefined;
    at += 1 + length;
  }
  at++;
  const nameOctets = at - HEADER_OCTETS;
  const opt = at + QUESTION_TAIL;
  if (nameOctets > MAX_NAME || additionals > 1) return undefined;
  if (octets.length !== opt + additionals * OPT_OCTETS) return undefined;
  const name = octetString(octets.subarray(HEADER_OCTETS, at));
  const query = {
    id: u16At(octets, 0),
    flags,
    name,
    key: foldCase(name),
    type: u16At(octets, at),
    class: u16At(octets, at + 2),
  };
  if (additionals === 0) return { ...query, edns: undefined };
  const isPlain = octets[opt] === 0 && u16At(octets, opt + 1) === TYPE.OPT &&
    u16At(octets, opt + 9) === 0;
  if (!isPlain) return undefined;
  const edns = {
    version: octets[opt + 6] as number,
    payloadOctets: Math.max(512, u16At(octets, opt + 3)),
    isDnssecOk: (u16At(octets, opt + 7) & 0x8000) !== 0,
  };
  return { ...query, edns };
}

function readAny(octets: Uint8Array, flags: number): ClientQuery | NoQuery {
  const message = parseMessage(octets);
  if (!message.ok) return "malformed";
  const { header: { id }, questions: [question, ...more] } = message.value;
  const edns = readEdns(message.value, octets);
  if (question === undefined || more.length > 0 || edns === "invalid") return "malformed";
  const name = octetString(question.name);
  return { id, flags, name, key: foldCase(name), type: question.type, class: question.class, edns };
}

function u16At(octets: Uint8Array, at: number): number {
  return (octets[at] as number) << 8 | (octets[at + 1] as number);
}
