/**
 * A forwarder whose upstreams are functions, and whose time stands still until it is moved.
 *
 * @module
 */
import assert from "node:assert/strict";
import { parseIp } from "../../lib/addr/mod.ts";
import {
  encodeQuery,
  type Message,
  nameToText,
  parseMessage,
  typeFromText,
} from "../../lib/dns/mod.ts";
import type { Asked } from "../../lib/dns_client/mod.ts";
import {
  defaultAllowRecursion,
  type ForwardClient,
  Forwarder,
  type ForwarderOptions,
  type ForwardSettings,
} from "../../lib/dns_forward/mod.ts";
import { type AnswerParts, answerTo, nameOf } from "./dns_server.ts";
import { type ReadAnswer, readAnswer } from "./zone_samples.ts";

/** A question that came to an upstream. */
export interface Sent {
  readonly asked: Asked;
  readonly message: Message;
  /** As it was asked, without the final dot. */
  readonly name: string;
  readonly type: number;
  readonly port: number;
}

/** What an upstream does: parts of an answer, its octets, or a failure. */
export type Doing = (sent: Sent) => AnswerParts | Uint8Array | Promise<AnswerParts | Uint8Array>;

/** An upstream at 192.0.2.1, told apart by its port. */
export function upstream(port: number, isTrusted = false) {
  return { hostname: "192.0.2.1", port, isTrusted };
}

/** Who asks, over TCP unless it says otherwise. */
export function clientAt(address: string, transport: "udp" | "tcp" = "tcp"): ForwardClient {
  const ip = parseIp(address);
  assert(ip.ok);
  return { address: ip.value, transport };
}

/** A client that may ask. */
export const INSIDE = clientAt("10.0.0.7");

/** What a client asks: `name TYPE`. */
export function questionFor(
  text: string,
  { udpPayloadBytes, ...more }: Partial<Parameters<typeof encodeQuery>[0]> = {},
): Uint8Array {
  const [name = "", word = "A"] = text.split(" ");
  const type = typeFromText(word);
  assert(type.ok, word);
  return encodeQuery({
    ...{ id: 0x1234, name: nameOf(name), type: type.value },
    ...udpPayloadBytes !== undefined && { udpPayloadBytes },
    ...more,
  });
}

/** A forwarder under test. */
export class TestForwarder implements Disposable {
  readonly forwarder: Forwarder;
  /** Every question to an upstream. */
  readonly sent: Sent[] = [];
  doing: Doing;
  nowMs = 0;

  constructor(
    doing: Doing,
    settings: Partial<ForwardSettings> = {},
    options: ForwarderOptions = {},
  ) {
    this.doing = doing;
    this.forwarder = new Forwarder({
      ...{ allowRecursion: defaultAllowRecursion(), upstreams: [upstream(1)] },
      ...settings,
    }, {
      now: () => this.nowMs,
      transport: async (asked) => {
        const message = parseMessage(asked.query);
        assert(message.ok);
        const name = nameToText(asked.question.name).replace(/\.$/, "");
        const { type } = asked.question;
        const sent = { asked, message: message.value, name, type, port: asked.server.port };
        this.sent.push(sent);
        const parts = await this.doing(sent);
        const bytes = parts instanceof Uint8Array ? parts : answerTo(message.value, parts);
        const answer = parseMessage(bytes);
        assert(answer.ok, JSON.stringify(answer));
        return { message: answer.value, bytes };
      },
      ...options,
    });
  }

  /** The octets of the answer. */
  async raw(query: Uint8Array, client: ForwardClient = INSIDE): Promise<Uint8Array> {
    const octets = await this.forwarder.resolve(query, client);
    assert(octets !== undefined);
    return octets;
  }

  /** The answer in words. */
  async ask(text: string, client: ForwardClient = INSIDE): Promise<ReadAnswer> {
    return readAnswer(await this.raw(questionFor(text), client));
  }

  /** Lets time pass. */
  pass(seconds: number): void {
    this.nowMs += 1000 * seconds;
  }

  [Symbol.dispose](): void {
    this.forwarder[Symbol.dispose]();
  }
}

/** Never answers; ends when it is told to. */
export function silence({ asked }: Sent): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  asked.signal.addEventListener("abort", () => reject(new Error("the question is closed")));
  return promise;
}
