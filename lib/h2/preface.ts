import { CLIENT_PREFACE } from "./frames.ts";
import type { Limits } from "./limits.ts";
import type { Sender } from "./sender.ts";
import { DEFAULT_WINDOW, SettingId } from "./settings.ts";

/** What either side writes first: a client its preface, and both their SETTINGS (RFC 9113 §3.4). */
export function greet(
  sender: Sender,
  { role, limits }: { readonly role: "server" | "client"; readonly limits: Limits },
): void {
  if (role === "client") sender.raw(CLIENT_PREFACE);
  sender.settings([
    role === "client"
      ? [SettingId.enablePush, 0]
      : [SettingId.maxConcurrentStreams, limits.maxConcurrentStreams],
    [SettingId.initialWindowSize, limits.streamWindow],
    [SettingId.maxHeaderListSize, limits.maxHeaderListSize],
    ...(role === "server" ? [[SettingId.enableConnectProtocol, 1] as const] : []),
  ]);
  const more = limits.connectionWindow - DEFAULT_WINDOW;
  if (more > 0) sender.windowUpdate(0, more);
}

/** Reads the preface that a server expects of its client, cut anywhere (RFC 9113 §3.4). */
export class PrefaceReader {
  /** Octets that have not come. */
  #left: number;

  constructor(role: "server" | "client") {
    this.#left = role === "server" ? CLIENT_PREFACE.length : 0;
  }

  /** All of it has come. */
  get done(): boolean {
    return this.#left === 0;
  }

  /** Answers what follows it; `undefined`: it is another one. */
  read(bytes: Uint8Array): Uint8Array | undefined {
    const seen = CLIENT_PREFACE.length - this.#left;
    const length = Math.min(this.#left, bytes.length);
    for (let i = 0; i < length; i++) {
      if (bytes[i] !== CLIENT_PREFACE[seen + i]) return undefined;
    }
    this.#left -= length;
    return bytes.subarray(length);
  }
}
