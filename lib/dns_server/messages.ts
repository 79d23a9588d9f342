import type { LogRecord } from "../observe/mod.ts";
import type { SocketsKind } from "../tcp/mod.ts";
import type { Ask, Told } from "./ask.ts";
import type { ServedAddress } from "./address_server.ts";
import type { ServerStatus } from "./server_status.ts";
import type { Changeable, ServingSettings, TlsMaterial } from "./settings.ts";
import type { ZoneSlice } from "./zone_slices.ts";

/** What the server of an address begins with; it binds after its zones have come. */
export interface StartMessage {
  readonly type: "start";
  readonly settings: ServingSettings;
  readonly sockets: SocketsKind;
  readonly counters: SharedArrayBuffer;
  readonly vitalSigns: SharedArrayBuffer;
}

/** What a worker is told; each is answered. */
export type Request =
  | StartMessage
  | { readonly type: "slice"; readonly slice: ZoneSlice }
  /** All zones are there: bind and answer. */
  | { readonly type: "serve"; readonly address: ServedAddress; readonly tls?: TlsMaterial }
  | { readonly type: "tls"; readonly tls: TlsMaterial }
  | { readonly type: "drain"; readonly timeoutMs: number }
  /** Other upstreams and services of zones; what is absent is not there any more. */
  | { readonly type: "reconfigure"; readonly settings: Changeable }
  /** What it keeps beside its counters. */
  | { readonly type: "status" }
  /** What it has asked; absent: there is no answer. */
  | { readonly type: "told"; readonly ask: number; readonly told?: Told };

/** What an answer says beside that it was done. */
export interface Reply {
  readonly ports?: { readonly port: number; readonly tlsPort: number };
  readonly status?: ServerStatus;
}

/** A request with the number that its answer has. */
export type Numbered = Request & { readonly id: number };

/** What a worker says. */
export type FromWorker =
  | {
    readonly type: "reply";
    readonly id: number;
    readonly error?: string;
    readonly reply?: Reply;
  }
  | { readonly type: "log"; readonly record: LogRecord }
  | { readonly type: "ask"; readonly ask: number; readonly what: Ask }
  /** Its socket is gone. */
  | { readonly type: "failed"; readonly reason: string };
