import { answerCode, parseMessage, readName, ResponseCode } from "../dns/mod.ts";
import type { TsigKey } from "./key.ts";
import { answerRefused, signMessage } from "./sign.ts";
import { verifyMessage } from "./verify.ts";

const HEADER_OCTETS = 12;
const NOT_AUTHORIZED = 9;
const TRUNCATED = 0x02;
/** What every network passes on in one piece (DNS flag day 2020). */
const UDP_OCTETS = 1232;

/** How a signed message is answered. */
export interface RespondOptions {
  readonly keys: readonly TsigKey[];
  /** Seconds since 1970. */
  readonly time: number;
  readonly transport: "udp" | "tcp";
  /** Answers what the message was before it was signed. */
  readonly respond: (
    unsigned: Uint8Array,
  ) => Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

/** What {@link respondSigned} says: the message is not signed, or what it is answered. */
export type SignedResponse =
  | { readonly kind: "unsigned" }
  | { readonly kind: "answer"; readonly octets: Uint8Array | undefined };

/** Answers a signed question with a signed answer, and says what is wrong with a signature. */
export async function respondSigned(
  octets: Uint8Array,
  { keys, time, transport, respond }: RespondOptions,
): Promise<SignedResponse> {
  const message = parseMessage(octets);
  if (!message.ok || message.value.header.isResponse) return { kind: "unsigned" };
  const verdict = await verifyMessage({ message: message.value, octets }, { keys, time });
  switch (verdict.kind) {
    case "unsigned":
      return verdict;
    case "malformed":
      return { kind: "answer", octets: answerCode(octets, ResponseCode.formatError) };
    case "refused": {
      const head = answerCode(octets, NOT_AUTHORIZED);
      return { kind: "answer", octets: await answerRefused(head, { refused: verdict, time }) };
    }
  }
  const { key, record: { mac: requestMac }, unsigned } = verdict;
  const answer = await respond(unsigned);
  if (answer === undefined) return { kind: "answer", octets: undefined };
  const signed = await signMessage(answer, { key, requestMac, time });
  if (transport === "tcp" || signed.octets.length <= UDP_OCTETS) {
    return { kind: "answer", octets: signed.octets };
  }
  const cut = await signMessage(cutOff(answer), { key, requestMac, time });
  return { kind: "answer", octets: cut.octets };
}

/** An answer without its records: over TCP there is room for them. */
function cutOff(answer: Uint8Array): Uint8Array {
  const end = (readName(answer, HEADER_OCTETS)?.next ?? answer.length) + 4;
  const cut = answer.slice(0, end);
  cut.fill(0, 6, HEADER_OCTETS);
  cut[2] = (cut[2] as number) | TRUNCATED;
  return cut;
}
