/**
 * A client that writes HTTP/2 frame by frame over TLS, past every check that a library would make.
 *
 * @module
 */
import {
  CLIENT_PREFACE,
  FrameFlag,
  FrameType,
  HpackDecoder,
  HpackEncoder,
} from "../../lib/h2/mod.ts";
import type { TlsPeer } from "./clients.ts";
import { eventually } from "./deadline.ts";
import { frame, parseFrames, type RawFrame } from "./h2_raw.ts";
import { encodeBlock } from "./hpack.ts";
import { connectRawTls } from "./l7.ts";

/** The largest payload that every peer takes. */
const MAX_FRAME = 16384;

/** See the module. */
export class RawHttp2Client implements AsyncDisposable {
  readonly #peer: TlsPeer;
  readonly #encoder = new HpackEncoder();

  constructor(peer: TlsPeer) {
    this.#peer = peer;
  }

  static async connect(port: number): Promise<RawHttp2Client> {
    return await RawHttp2Client.over(await connectRawTls({ port, alpn: "h2" }));
  }

  /** Greets on a connection that agreed on HTTP/2. */
  static async over(peer: TlsPeer): Promise<RawHttp2Client> {
    const client = new RawHttp2Client(peer);
    await client.write(
      CLIENT_PREFACE,
      frame(FrameType.settings, 0, 0),
      frame(FrameType.settings, FrameFlag.ack, 0),
    );
    return client;
  }

  async write(...chunks: Uint8Array[]): Promise<void> {
    for (const chunk of chunks) await this.#peer.write(chunk);
  }

  /** A block in as few frames as it fits in, back to back. */
  headers(streamId: number, fields: readonly string[], endStream: boolean): Uint8Array {
    const block = encodeBlock(this.#encoder, fields);
    const frames: Uint8Array[] = [];
    for (let at = 0; at === 0 || at < block.length; at += MAX_FRAME) {
      const type = at === 0 ? FrameType.headers : FrameType.continuation;
      const end = at + MAX_FRAME >= block.length ? FrameFlag.endHeaders : 0;
      const flags = end | (at === 0 && endStream ? FrameFlag.endStream : 0);
      frames.push(frame(type, flags, streamId, block.subarray(at, at + MAX_FRAME)));
    }
    return Buffer.concat(frames);
  }

  /** What the proxy has sent of one stream so far. */
  frames(streamId: number): RawFrame[] {
    return parseFrames([this.#peer.received]).filter((it) => it.streamId === streamId);
  }

  /** How the proxy answered a stream: its status, or the name of the reset. */
  async answer(streamId: number): Promise<string> {
    await eventually(
      () => this.frames(streamId).length > 0 || this.#goaway() !== undefined,
      "an answer",
    );
    const [first] = this.frames(streamId);
    if (first?.type === FrameType.rstStream) return `reset ${first.payload[3]}`;
    if (first === undefined) return `goaway ${this.#goaway()?.payload[7]}`;
    return this.statuses(streamId).at(-1) ?? "";
  }

  /** The statuses of a stream so far: interim ones, and the last one's. */
  statuses(streamId: number): string[] {
    const statuses: string[] = [];
    const decoder = new HpackDecoder();
    for (const { type, streamId: id, payload } of parseFrames([this.#peer.received])) {
      if (type !== FrameType.headers) continue;
      decoder.decode(payload, {
        field(name, value) {
          if (id === streamId && name === ":status") statuses.push(value);
        },
      });
    }
    return statuses;
  }

  /** The content of a stream so far. */
  content(streamId: number): string {
    return this.frames(streamId)
      .filter(({ type }) => type === FrameType.data)
      .map(({ payload }) => new TextDecoder().decode(payload)).join("");
  }

  /** How many streams have come to their end. */
  get answered(): number {
    return parseFrames([this.#peer.received])
      .filter(({ type, flags }) =>
        (type === FrameType.headers || type === FrameType.data) &&
        (flags & FrameFlag.endStream) !== 0
      ).length;
  }

  /** A GOAWAY has come. */
  get isGoingAway(): boolean {
    return this.#goaway() !== undefined;
  }

  /** The socket below, to stop reading from it. */
  get peer(): TlsPeer {
    return this.#peer;
  }

  #goaway(): RawFrame | undefined {
    return parseFrames([this.#peer.received]).find(({ type }) => type === FrameType.goaway);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}
