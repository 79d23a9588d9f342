import type { McnsConfig } from "../dns_config/mod.ts";
import { DnsControl, type DnsPlane } from "../dns_control/mod.ts";
import {
  type AddressStatus,
  type Ask,
  DNS_COUNTER_NAMES,
  DnsPool,
  type TlsMaterial,
} from "../dns_server/mod.ts";
import type { DnsDatabase } from "../dns_store/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import { chooseSockets, type SocketsKind } from "../tcp/mod.ts";
import { ZoneTable } from "../zones/mod.ts";
import { type DeskCounts, ZoneDesk } from "./mcns_desk.ts";
import { FollowedZones } from "./mcns_secondaries.ts";
import { changeableSettings, servedAddresses, servingSettings } from "./mcns_serving.ts";

/** What {@link Mcns} is made of. */
export interface McnsOptions {
  readonly config: McnsConfig;
  readonly database: DnsDatabase;
  readonly log: LogSink;
  /** The worker of an address loops and cannot be ended. */
  readonly onStuck: (host: string) => void;
}

/** A running name server: the zones' one writer, and the workers that answer from them. */
export class Mcns implements AsyncDisposable {
  readonly control: DnsControl;
  /** Those that the runtime was found to have. */
  readonly sockets: SocketsKind;
  readonly #pool: DnsPool;
  readonly #log: LogSink;
  readonly #desk: ZoneDesk;
  /** Zones that other servers have first. */
  readonly followed: FollowedZones;

  private constructor(
    control: DnsControl,
    pool: DnsPool,
    { sockets, log, desk, followed }: {
      readonly sockets: SocketsKind;
      readonly log: LogSink;
      readonly desk: ZoneDesk;
      readonly followed: FollowedZones;
    },
  ) {
    this.control = control;
    this.sockets = sockets;
    this.#pool = pool;
    this.#log = log;
    this.#desk = desk;
    this.followed = followed;
  }

  /**
   * Compiles the zones of the database, and serves them at every address.
   *
   * @throws {Error} if an address cannot be bound, or the database not be read.
   */
  static async start({ config, database, log, onStuck }: McnsOptions): Promise<Mcns> {
    const parts: { control?: DnsControl; pool?: DnsPool } = {};
    const settings = servingSettings(config);
    const { services } = settings;
    const desk = new ZoneDesk({
      ...{ config, services, database, log },
      control: () => parts.control,
    });
    const plane: DnsPlane = {
      apply: async (change) => {
        const applied = await parts.pool?.apply(change) ?? { pendingWorkers: [] };
        desk.changed(change);
        return applied;
      },
    };
    const control = parts.control = await DnsControl.open({ database, plane, log, now: Date.now });
    const followed = new FollowedZones({ control, log });
    desk.followed = followed;
    await followed.follow(config, desk.keys);
    const { kind: sockets, problem } = await chooseSockets("auto");
    if (problem !== undefined) {
      const message = "the runtime's TCP handles do not work as known, node:net is used instead";
      log({ level: "warn", message, fields: { problem } });
    }
    const tls = readTls(config);
    const pool = parts.pool = await DnsPool.start({
      addresses: servedAddresses(config),
      ...{ settings, sockets },
      answer: (what: Ask) => desk.answer(what),
      ...tls && { tls },
      zones: () => parts.control?.table ?? new ZoneTable(),
      log,
      onStuck: ({ host }) => onStuck(host),
    });
    followed.start();
    return new Mcns(control, pool, { sockets, log, desk, followed });
  }

  /** How the servers of the addresses are. */
  get status(): AddressStatus[] {
    return this.#pool.status;
  }

  /** How the addresses are, as operators are told of them. */
  get addresses() {
    return this.status.map(({ address: { host }, state, restarts, counters }) => ({
      ...{ address: host, state, restarts },
      counters: DNS_COUNTER_NAMES.map((name) => ({ name, value: counters.get(name) })),
    }));
  }

  /** What each worker keeps beside its counters. */
  serverStatus(): ReturnType<DnsPool["serverStatus"]> {
    return this.#pool.serverStatus();
  }

  /** What others have asked for beside answers; undefined: no zone has anything of it. */
  get deskCounts(): DeskCounts | undefined {
    return this.#desk.counts;
  }

  /** What is wrong, one sentence each. */
  get problems(): string[] {
    const { problem } = this.control;
    const away = this.status.filter(({ state }) => state === "restarting");
    return [
      ...problem === "" ? [] : [problem],
      ...this.followed.problems,
      ...away.map(({ address: { host } }) => `${host} is not served: its worker is being replaced`),
    ];
  }

  /**
   * Reads what a configuration says of upstreams, keys, zones and certificates, as its files are now.
   *
   * @returns what takes it.
   * @throws {TypeError} if a file was changed since it was checked.
   */
  prepare(config: McnsConfig): () => Promise<void> {
    const tls = readTls(config);
    const settings = changeableSettings(config);
    return async () => {
      if (tls !== undefined) await this.#pool.setTls(tls);
      await this.#pool.reconfigure(settings);
      this.#desk.update({ config, services: settings.services });
      await this.followed.follow(config, this.#desk.keys);
      this.followed.start();
    };
  }

  /** Takes no more changes and questions; answers those that came. */
  async drain(timeoutMs: number): Promise<void> {
    this.followed[Symbol.dispose]();
    await this.control.close();
    this.#desk[Symbol.dispose]();
    await this.#pool.drain(timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.followed[Symbol.dispose]();
    await this.control.close();
    this.#desk[Symbol.dispose]();
    await this.#pool[Symbol.asyncDispose]();
  }
}

function readTls({ dns: { dot } }: McnsConfig): TlsMaterial | undefined {
  if (dot === undefined) return undefined;
  return {
    certPem: Deno.readTextFileSync(dot.tlsCert),
    keyPem: Deno.readTextFileSync(dot.tlsKey),
  };
}
