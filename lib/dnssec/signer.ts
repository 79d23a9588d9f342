import { foldCase, type OctetString, TYPE } from "../dns/mod.ts";
import type { ZoneKey } from "./key.ts";
import type { ProvenSet } from "./proof.ts";
import { type CachedSignature, SignatureCache } from "./signature_cache.ts";
import { signSet } from "./signature.ts";
import type { SignedZone } from "./signed_zone.ts";

/** Clocks of others may be late by so many seconds. */
const EARLY = 3600;
/** Seconds that a signature is good for; whoever gets an old one has to have time to notice. */
const VALIDITY = 7 * 86_400;
/** Signatures of different names do not end all at once. */
const JITTER = 86_400;
/** One that has fewer seconds left is made anew; TTLs are shorter. */
const REFRESH_BEFORE = 3 * 86_400;
/** Signatures that are being made: some hundred microseconds each. */
const MOST_UNDER_WAY = 512;

/** What sets of these types say has to be believed before any other. */
const BY_ALL_KEYS: ReadonlySet<number> = new Set([TYPE.DNSKEY, TYPE.CDS, TYPE.CDNSKEY]);

/** How much is remembered. */
export interface SignerLimits {
  /** Octets of signatures of what is there. */
  readonly signatureOctets: number;
  /** Of what is not there: whoever asks for names at random fills it, and only it. */
  readonly denialOctets: number;
}

/** Too much is being signed. */
export class SignerBusyError extends Error {
  override readonly name = "SignerBusyError";
  readonly code = "BUSY";
}

/** Makes signatures, once each. */
export class Signer {
  readonly signatures: SignatureCache;
  readonly denials: SignatureCache;
  readonly #underWay = new Map<string, Promise<OctetString>>();
  #made = 0;

  constructor({ signatureOctets, denialOctets }: SignerLimits) {
    this.signatures = new SignatureCache(signatureOctets);
    this.denials = new SignatureCache(denialOctets);
  }

  /** Signatures made so far. */
  get made(): number {
    return this.#made;
  }

  /**
   * The signatures of a set, one of each key that signs it: at once where they are known.
   *
   * @throws {SignerBusyError}
   */
  signaturesOf(
    set: ProvenSet,
    { zone, keys }: SignedZone,
    now: number,
  ): readonly OctetString[] | Promise<readonly OctetString[]> {
    const found = keys.filter(({ role }) => role === "active" || BY_ALL_KEYS.has(set.type))
      .map((key) => this.#signatureOf(set, { origin: zone.origin, key, now }));
    return found.every((one) => typeof one === "string") ? found : Promise.all(found);
  }

  #signatureOf(
    set: ProvenSet,
    { origin, key, now }: {
      readonly origin: OctetString;
      readonly key: ZoneKey;
      readonly now: number;
    },
  ): OctetString | Promise<OctetString> {
    const cache = set.type === TYPE.NSEC ? this.denials : this.signatures;
    const owner = foldCase(set.owner);
    const id = `${key.data}${set.type} ${set.ttl} ${owner}${set.data.join("\0\0")}`;
    const known = cache.get(id, now) ?? this.#underWay.get(id);
    if (known !== undefined) return known;
    if (this.#underWay.size >= MOST_UNDER_WAY) {
      throw new SignerBusyError(`${MOST_UNDER_WAY} signatures are being made already`);
    }
    const expiration = now + VALIDITY + jitterOf(owner, set.type);
    const made = signSet(set.owner, set, { origin, key, inception: now - EARLY, expiration })
      .then((data) => {
        this.#made++;
        const entry: CachedSignature = { data, refreshAt: expiration - REFRESH_BEFORE };
        cache.set(id, entry);
        return data;
      }).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, made);
    return made;
  }
}

/** Seconds that are the same for a name and type at each time (FNV-1a). */
function jitterOf(owner: OctetString, type: number): number {
  let hash = 0x811c9dc5 ^ type;
  for (let i = 0; i < owner.length; i++) {
    hash = Math.imul(hash ^ owner.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0) % JITTER;
}
