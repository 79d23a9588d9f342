import { formatCidr, formatIp, type IpAddress, ipv4, ipv6 } from "../addr/mod.ts";
import { SpaceSaving } from "./space_saving.ts";
import { HITTER_WEIGHTS, type HitterCount, type HitterGroup, type HitterWeight } from "./count.ts";

/**
 * Keys of a group that are watched at once by one weight: whoever makes more than 1/256 of what
 * happens between two takes is found. A full tracker takes some 300 kB.
 */
export const TRACKED_PLACES = 256;
/** What one IPv4 network is: the smallest block that is announced on the internet. */
const IPV4_NETWORK = 24;
/** What one IPv6 customer gets. */
const IPV6_NETWORK = 64;

/** An IPv4 address as a 32-bit integer, or the words of an IPv6 one as UTF-16 units. */
type AddressKey = number | string;

const WEIGHT_INDEX = { connections: 0, refused: 1, bytes: 2 } as const satisfies Readonly<
  Record<HitterWeight, number>
>;

/** Whose connection it is. */
export interface Visitor {
  readonly ip: IpAddress;
  /** The server name asked for, canonical. */
  readonly name?: string | undefined;
  readonly country?: string | undefined;
}

/**
 * The heaviest clients, networks, names and countries of one worker since they were taken last, in
 * fixed memory. It stands on the path of every refused connection, so keys of addresses are numbers
 * (IPv4) or short strings and become text when they are taken.
 */
export class HitterTracker {
  readonly #clients = sketches<AddressKey>();
  readonly #networks = sketches<AddressKey>();
  readonly #names = sketches<string>();
  readonly #countries = sketches<string>();

  /** Adds to what one has done. */
  add(by: HitterWeight, { ip, name, country }: Visitor, amount: number): void {
    const i = WEIGHT_INDEX[by];
    if (ip.family === 4) {
      this.#clients[i].add(ip.w3 | 0, amount);
      this.#networks[i].add(ip.w3 & ~0xff, amount);
    } else {
      const network = twoWords(ip.w0, ip.w1);
      this.#clients[i].add(network + twoWords(ip.w2, ip.w3), amount);
      this.#networks[i].add(network, amount);
    }
    if (name !== undefined) this.#names[i].add(name, amount);
    if (country !== undefined) this.#countries[i].add(country, amount);
  }

  /** What was counted since the last time; nothing for what did not occur. */
  take(): HitterCount[] {
    return [
      ...takeGroup("client", this.#clients, clientOf),
      ...takeGroup("network", this.#networks, networkOf),
      ...takeGroup("name", this.#names, (name) => name),
      ...takeGroup("country", this.#countries, (code) => code),
    ];
  }
}

/** In the order of {@link HITTER_WEIGHTS}. */
type Sketches<K extends string | number> = readonly [
  SpaceSaving<K>,
  SpaceSaving<K>,
  SpaceSaving<K>,
];

function sketches<K extends string | number>(): Sketches<K> {
  const make = () => new SpaceSaving<K>(TRACKED_PLACES);
  return [make(), make(), make()];
}

function takeGroup<K extends string | number>(
  group: HitterGroup,
  sketches: Sketches<K>,
  textOf: (key: K) => string,
): HitterCount[] {
  return sketches.flatMap((sketch, i) => {
    if (sketch.total === 0) return [];
    const watched = sketch.entries();
    const counted = {
      group,
      by: HITTER_WEIGHTS[i] as HitterWeight,
      keys: watched.map(({ key }) => textOf(key)),
      counts: watched.map(({ count }) => count),
      errors: watched.map(({ error }) => error),
      missed: sketch.missed,
      total: sketch.total,
    };
    sketch.clear();
    return [counted];
  });
}

function twoWords(a: number, b: number): string {
  return String.fromCharCode(a >>> 16, a & 0xffff, b >>> 16, b & 0xffff);
}

function clientOf(key: AddressKey): string {
  return formatIp(addressOf(key));
}

function networkOf(key: AddressKey): string {
  const prefixLength = typeof key === "number" ? IPV4_NETWORK : IPV6_NETWORK;
  return formatCidr({ address: addressOf(key), prefixLength });
}

function addressOf(key: AddressKey): IpAddress {
  if (typeof key === "number") return ipv4(key);
  const word = (i: number) => (key.charCodeAt(i) << 16 | key.charCodeAt(i + 1)) >>> 0;
  return key.length === 4 ? ipv6(word(0), word(2), 0, 0) : ipv6(word(0), word(2), word(4), word(6));
}
