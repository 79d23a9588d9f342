import { type Edns, encodeOpt, parseMessage, readEdns, TYPE } from "../dns/mod.ts";
import type { ReplyOptions } from "../zones/mod.ts";

const PLAIN_UDP = 512;

/** To whom an answer of another server is passed on. */
export type Passage = ReplyOptions & {
  /** Of the question. */
  readonly edns: Edns | undefined;
};

/**
 * An answer of another server as this client takes it: with our own EDNS record, which has its cookie,
 * in the place of the one that came.
 *
 * @returns undefined if it is too long for UDP.
 */
export function passOn(
  answer: Uint8Array,
  { transport, udpPayload = PLAIN_UDP, options = [], edns }: Passage,
): Uint8Array | undefined {
  const whole = options.length === 0 ? answer : withOptions(answer, { udpPayload, options });
  if (transport !== "udp") return whole;
  const limit = edns === undefined ? PLAIN_UDP : Math.min(edns.payloadOctets, udpPayload);
  return whole.length <= limit ? whole : undefined;
}

/** Only where EDNS is the last record, as it is in all answers of the forwarder. */
function withOptions(
  answer: Uint8Array,
  { udpPayload, options }: Required<Pick<ReplyOptions, "udpPayload" | "options">>,
): Uint8Array {
  const message = parseMessage(answer);
  if (!message.ok) return answer;
  const last = message.value.additionals.at(-1);
  const found = readEdns(message.value, answer);
  if (found === undefined || found === "invalid" || last?.type !== TYPE.OPT) return answer;
  const extendedCode = codeOf(answer, last.data.start);
  const { isDnssecOk } = found;
  const opt = encodeOpt({
    payloadOctets: udpPayload,
    isDnssecOk,
    extendedCode,
    options: [...found.options, ...options],
  });
  // The root's name, type, class, TTL and length are before the data.
  const start = last.data.start - 11;
  const passed = new Uint8Array(start + opt.length);
  passed.set(answer.subarray(0, start));
  passed.set(opt, start);
  return passed;
}

/** The upper eight bits of the response code, in what is a TTL elsewhere. */
function codeOf(answer: Uint8Array, dataStart: number): number {
  return answer[dataStart - 6] as number;
}
