import { blockOf, type Cidr, formatIp, type IpAddress } from "../addr/mod.ts";
import { answerCode, foldCase, type OctetString, ResponseCode, TYPE } from "../dns/mod.ts";
import {
  AnswerSigner,
  importZoneKey,
  type SignedZone,
  signZone,
  type StoredZoneKey,
  type ZoneKeys,
  zoneKeysOf,
} from "../dnssec/mod.ts";
import { type Step, type TransferReply, Transfers } from "../transfer/mod.ts";
import { createTsigKey, respondSigned, type SignedResponse, type TsigKey } from "../tsig/mod.ts";
import { type Zone, ZoneTable } from "../zones/mod.ts";

/** Zones that are being sent at one time from one address; each holds one message. */
const MAX_TRANSFERS = 16;

/** A key that is shared with another server. */
export interface KeySettings {
  readonly name: string;
  readonly algorithm: string;
  /** Base64; secret. */
  readonly secret: string;
}

/** What a zone is served with beside its records; it can be sent to a worker. */
export interface ZoneServiceSettings {
  readonly origin: OctetString;
  /** Addresses and blocks that may have it as a whole. */
  readonly transferAddresses: readonly string[];
  /** Names of keys, in lower case, with which one may. */
  readonly transferKeys: readonly string[];
  /** Its own keys; none: it is not signed. */
  readonly zoneKeys: readonly StoredZoneKey[];
}

/** What zones are served with. */
export interface ServicesSettings {
  readonly keys: readonly KeySettings[];
  readonly zones: readonly ZoneServiceSettings[];
}

/** What a zone is served with, ready for use. */
interface Service {
  readonly addresses: readonly Cidr[];
  readonly keys: readonly OctetString[];
  readonly zoneKeys: ZoneKeys | undefined;
}

/** What {@link ZoneServices} are given beside their settings. */
export interface ServicesOptions {
  /** Seconds since 1970. */
  readonly now: () => number;
  /** What changed in a zone since a serial; undefined: not known. */
  readonly journal?: (zone: Zone, serial: number) => Promise<readonly Step[] | undefined>;
  /** The answer to a message that is no question (UPDATE, NOTIFY); absent: to none of them. */
  readonly relay?: (octets: Uint8Array, host: string) => Promise<Uint8Array | undefined>;
}

/** Signatures of messages and of zones, and zones as wholes: what few clients ask for. */
export class ZoneServices {
  readonly signer: AnswerSigner;
  readonly #keys: readonly TsigKey[];
  readonly #services: ReadonlyMap<OctetString, Service>;
  readonly #options: ServicesOptions;
  /** By the zone without keys, and by the zone with them. */
  readonly #withKeys = new WeakMap<Zone, SignedZone>();
  readonly #signed = new WeakMap<Zone, SignedZone>();
  #transfers = 0;

  private constructor(
    keys: readonly TsigKey[],
    services: ReadonlyMap<OctetString, Service>,
    options: ServicesOptions,
  ) {
    this.#keys = keys;
    this.#services = services;
    this.#options = options;
    this.signer = new AnswerSigner({ now: options.now });
  }

  /**
   * Makes keys of what settings say.
   *
   * @throws {TypeError} for a key that is none.
   */
  static async create(settings: ServicesSettings, options: ServicesOptions): Promise<ZoneServices> {
    const keys = settings.keys.map((own) => {
      const key = createTsigKey(own, { leastOctets: 1 });
      if (!key.ok) throw new TypeError(`the key ${own.name}: ${key.reason}`);
      return key.value;
    });
    const services = new Map<OctetString, Service>();
    for (const { origin, transferAddresses, transferKeys, zoneKeys } of settings.zones) {
      services.set(foldCase(origin), {
        addresses: transferAddresses.map((text) => blockOf(text, "transfer")),
        keys: keys.flatMap(({ name }, i) =>
          transferKeys.includes(settings.keys[i]?.name.toLowerCase() ?? "")
            ? [String.fromCharCode(...name)]
            : []
        ),
        zoneKeys: await readZoneKeys(origin, zoneKeys),
      });
    }
    return new ZoneServices(keys, services, options);
  }

  /** The same zones, those that have keys with them among their records. */
  withKeys(zones: ZoneTable): ZoneTable {
    return new ZoneTable(Array.from(zones.zones, (zone) => {
      const keys = this.#services.get(zone.apexKey)?.zoneKeys;
      if (keys === undefined || zone.isExpired === true) return zone;
      const signed = this.#withKeys.get(zone) ?? signZone(zone, keys);
      this.#withKeys.set(zone, signed);
      this.#signed.set(signed.zone, signed);
      return signed.zone;
    }));
  }

  /** A zone of {@link withKeys} and its keys; undefined: it has none. */
  signedZone(zone: Zone): SignedZone | undefined {
    return this.#signed.get(zone);
  }

  /** Answers a signed message; what it is without its signature, `respond` answers. */
  respondSigned(
    octets: Uint8Array,
    { transport, respond }: {
      readonly transport: "udp" | "tcp";
      readonly respond: (
        unsigned: Uint8Array,
      ) => Uint8Array | undefined | Promise<Uint8Array | undefined>;
    },
  ): Promise<SignedResponse> {
    return respondSigned(octets, {
      ...{ keys: this.#keys, time: this.#options.now(), transport, respond },
    });
  }

  /** The answer to a message that is no question, SERVFAIL if it is late; undefined: nobody answers. */
  relay(octets: Uint8Array, address: IpAddress): Promise<Uint8Array> | undefined {
    return this.#options.relay?.(octets, formatIp(address)).then((answer) =>
      answer ?? answerCode(octets, ResponseCode.serverFailure)
    );
  }

  /** The messages of a zone as a whole, or of what changed in it; undefined: it is asked for nothing so. */
  async transfer(
    octets: Uint8Array,
    { address, transport, zones }: {
      readonly address: IpAddress;
      readonly transport: "udp" | "tcp";
      readonly zones: ZoneTable;
    },
  ): Promise<TransferReply | "busy" | undefined> {
    if (this.#transfers >= MAX_TRANSFERS) return "busy";
    const { now, journal } = this.#options;
    const transfers = new Transfers({
      ...{ keys: this.#keys, now, ...journal && { journal } },
      zoneAt: (origin) => zones.at(origin),
      accessOf: ({ apexKey }) => this.#services.get(apexKey) ?? NOBODY,
    });
    const reply = await transfers.respond(octets, { address, transport });
    return reply && { ...reply, messages: this.#counted(reply.messages) };
  }

  async *#counted(messages: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    this.#transfers++;
    try {
      yield* messages;
    } finally {
      this.#transfers--;
    }
  }
}

const NOBODY = { addresses: [], keys: [] } as const;
const HEADER_OCTETS = 12;
const OPCODE_NOTIFY = 4;
const OPCODE_UPDATE = 5;

/**
 * Whether a message may be a question for a zone as a whole, a signed one, or none at all: cheap, for
 * every message; those who answer look closely.
 */
export function mayBeSpecial(
  octets: Uint8Array,
): "transfer" | "signed" | "relayed" | undefined {
  // QR is not set, and the opcode is one of theirs.
  const head = (octets[2] as number) >> 3;
  if (head === OPCODE_NOTIFY || head === OPCODE_UPDATE) return "relayed";
  let at = HEADER_OCTETS;
  for (let length = octets[at]; length !== undefined && length !== 0; length = octets[at]) {
    at += 1 + length;
  }
  const type = (octets[at + 1] ?? 0) << 8 | (octets[at + 2] ?? 0);
  const isTransfer = type === TYPE.AXFR || type === TYPE.IXFR;
  if (isTransfer && ((octets[2] as number) & 0xf8) === 0) return "transfer";
  const end = at + 5;
  const hasAdditional = ((octets[10] as number) << 8 | (octets[11] as number)) > 0;
  return hasAdditional && hasTsigAfter(octets, end) ? "signed" : undefined;
}

/** Behind the root at the end of a key's name: TSIG, the class ANY, and a TTL of 0. */
const TSIG_HEAD = [0, 0, TYPE.TSIG, 0, 255, 0, 0, 0, 0] as const;

/** The data of another record may look like it: those who answer look closely. */
function hasTsigAfter(octets: Uint8Array, start: number): boolean {
  for (let at = start; at + TSIG_HEAD.length < octets.length; at++) {
    if (TSIG_HEAD.every((octet, i) => octets[at + i] === octet)) return true;
  }
  return false;
}

async function readZoneKeys(
  origin: OctetString,
  stored: readonly StoredZoneKey[],
): Promise<ZoneKeys | undefined> {
  if (stored.length === 0) return undefined;
  const keys = await Promise.all(stored.map(async (own) => {
    const key = await importZoneKey(own);
    if (!key.ok) throw new TypeError(`a key of a zone: ${key.reason}`);
    return key.value;
  }));
  return await zoneKeysOf(origin, keys);
}
