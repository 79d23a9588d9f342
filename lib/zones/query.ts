import {
  type Edns,
  octetString,
  OPTION,
  parseMessage,
  type Question,
  readEdns,
  ResponseCode,
} from "../dns/mod.ts";
import { LookUp } from "./zone.ts";

const HEADER_OCTETS = 12;
const OPCODE_QUERY = 0;
const RESPONSE = 0x80;
/** Of the header's third octet, what an answer repeats: the opcode and RD (RFC 1035 §4.1.1). */
const REPEATED = 0x79;

/** A question that can be answered. */
export interface Query {
  readonly id: number;
  readonly recursionDesired: boolean;
  readonly question: Question;
  readonly lookUp: LookUp;
  readonly edns: Edns | undefined;
}

/** A message that asks for a cookie alone (RFC 7873 §5.4). */
export interface CookieQuery {
  readonly edns: Edns;
  /** The head of the answer, without its EDNS record. */
  readonly head: Uint8Array;
}

/** What a message is to a server. */
export type QueryRead =
  /** Where cookies are not known, `answer` is said. */
  | { readonly kind: "cookie"; readonly query: CookieQuery; readonly answer: Uint8Array }
  | { readonly kind: "query"; readonly query: Query }
  /** Nothing that it could answer: this is said instead. */
  | { readonly kind: "fault"; readonly answer: Uint8Array }
  /** It gets no answer, as it is no question at all: answers to answers have no end. */
  | { readonly kind: "none" };

/** Reads a message that somebody sent. */
export function readQuery(octets: Uint8Array): QueryRead {
  if (octets.length < HEADER_OCTETS || ((octets[2] as number) & RESPONSE) !== 0) {
    return { kind: "none" };
  }
  const message = parseMessage(octets);
  if (!message.ok) return fault(octets, ResponseCode.formatError);
  const { header: { id, opcode, recursionDesired }, questions } = message.value;
  if (opcode !== OPCODE_QUERY) return fault(octets, ResponseCode.notImplemented);
  const [question] = questions;
  const edns = readEdns(message.value, octets);
  if (questions.length > 1 || edns === "invalid") return fault(octets, ResponseCode.formatError);
  if (question === undefined) return withoutQuestion(octets, edns);
  const lookUp = new LookUp(octetString(question.name));
  return { kind: "query", query: { id, recursionDesired, question, lookUp, edns } };
}

function withoutQuestion(octets: Uint8Array, edns: Edns | undefined): QueryRead {
  const isCookie = edns?.options.some(({ code }) => code === OPTION.cookie) === true;
  const { answer } = fault(octets, ResponseCode.formatError);
  if (edns === undefined || !isCookie) return { kind: "fault", answer };
  const head = answer.slice();
  head[3] = ResponseCode.noError;
  head[11] = 1;
  return { kind: "cookie", query: { edns, head }, answer };
}

/** An answer that says nothing but its code; the question may be what cannot be read. */
function fault(octets: Uint8Array, code: number): Extract<QueryRead, { kind: "fault" }> {
  const answer = new Uint8Array(HEADER_OCTETS);
  answer.set(octets.subarray(0, 3));
  answer[2] = (answer[2] as number) & REPEATED | RESPONSE;
  answer[3] = code;
  return { kind: "fault", answer };
}
