/** Of the key that a group shares, in octets. */
const KEY_OCTETS = 32;
/** Each text is sealed with a key of its own, made of the group's and so many random octets. */
const SALT_OCTETS = 32;
const NONCE_OCTETS = 12;
/** Of AES-256. */
const CIPHER_KEY_OCTETS = 32;
/** Of what a key is called by: enough to tell keys apart, and nothing to find one by. */
const NAME_OCTETS = 8;
const FORMAT = "1";

/** What a text is sealed as: it opens as nothing else. */
export interface SealedAs {
  /** Such as `certificate https://ca.example/dir a.example`. */
  readonly name: string;
  readonly version: number;
}

/** What was sealed, or why nobody may know or believe it. */
export type Unsealed =
  | {
    readonly ok: true;
    readonly text: string;
    /** Sealed with a key that is on its way out. */
    readonly isOld: boolean;
  }
  | {
    readonly ok: false;
    /** Sealed with a key that is not known here, or no proxy of the group has sealed it so. */
    readonly why: "other_key" | "altered";
    /** One sentence. */
    readonly reason: string;
  };

interface NamedKey {
  readonly name: string;
  readonly key: CryptoKey;
}

/**
 * Seals what the proxies of a group share, so that PostgreSQL neither reads nor makes it: AES-256-GCM, with
 * group, name and version as associated data. The key and the nonce of each text are derived (HKDF,
 * SHA-256) from the group's key and 32 octets of chance. So no nonce is ever used twice with a key, without
 * a count that all proxies would have to keep, and that a database could turn back.
 */
export class Sealer {
  readonly #group: string;
  readonly #keys: readonly NamedKey[];

  private constructor(group: string, keys: readonly NamedKey[]) {
    this.#group = group;
    this.#keys = keys;
  }

  /** @param keys of 32 octets: with the first one is sealed, each of them opens. */
  static async open(group: string, keys: readonly Uint8Array[]): Promise<Sealer> {
    const named = await Promise.all(keys.map(async (octets) => {
      if (octets.length !== KEY_OCTETS) throw new RangeError(`a key of ${octets.length} octets`);
      const raw = new Uint8Array(octets);
      const key = await crypto.subtle.importKey("raw", raw, "HKDF", false, ["deriveBits"]);
      const name = await derived(key, {
        salt: new Uint8Array(),
        info: "name",
        octets: NAME_OCTETS,
      });
      return { name: name.toHex(), key };
    }));
    return new Sealer(group, named);
  }

  /** What the key is called by that is sealed with. */
  get keyName(): string {
    return this.#keys[0]?.name ?? "";
  }

  /** As text for PostgreSQL. */
  async seal(as: SealedAs, text: string): Promise<string> {
    const [first] = this.#keys;
    if (first === undefined) throw new TypeError("there is no key");
    const salt = crypto.getRandomValues(new Uint8Array(SALT_OCTETS));
    const { cipher, nonce } = await cipherOf(first.key, salt);
    const additionalData = this.#associated(as, first.name);
    const plain = new TextEncoder().encode(text);
    const sealed = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv: nonce, additionalData },
      cipher,
      plain,
    );
    return [FORMAT, first.name, salt.toBase64(), new Uint8Array(sealed).toBase64()].join(".");
  }

  /** What was sealed as this, in this group. Never fails, whatever is given. */
  async unseal(as: SealedAs, given: string): Promise<Unsealed> {
    const [format, name = "", saltText = "", sealedText = "", ...more] = given.split(".");
    const salt = octetsOf(saltText);
    const sealed = octetsOf(sealedText);
    const isFormed = format === FORMAT && more.length === 0 && salt?.length === SALT_OCTETS &&
      sealed !== undefined;
    if (!isFormed) return { ok: false, why: "altered", reason: "nothing that is sealed" };
    const index = this.#keys.findIndex((it) => it.name === name);
    const known = this.#keys[index];
    if (known === undefined) {
      const reason = `sealed with the key ${/^[0-9a-f]{16}$/.test(name) ? name : "?"}, and ` +
        `share_key_file of this proxy holds the key ${this.keyName}`;
      return { ok: false, why: "other_key", reason };
    }
    const { cipher, nonce } = await cipherOf(known.key, salt);
    try {
      const plain = await crypto.subtle.decrypt(
        { name: "AES-GCM", iv: nonce, additionalData: this.#associated(as, name) },
        cipher,
        sealed,
      );
      return { ok: true, text: new TextDecoder().decode(plain), isOld: index > 0 };
    } catch {
      const reason = "no proxy of the group has sealed it so: PostgreSQL's content was altered";
      return { ok: false, why: "altered", reason };
    }
  }

  #associated({ name, version }: SealedAs, key: string): Uint8Array<ArrayBuffer> {
    const parts = ["mc-proxy", FORMAT, this.#group, name, version, key];
    return new TextEncoder().encode(JSON.stringify(parts));
  }
}

async function cipherOf(key: CryptoKey, salt: Uint8Array) {
  const octets = await derived(key, {
    salt,
    info: "seal",
    octets: CIPHER_KEY_OCTETS + NONCE_OCTETS,
  });
  const raw = octets.slice(0, CIPHER_KEY_OCTETS);
  const cipher = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, [
    "encrypt",
    "decrypt",
  ]);
  return { cipher, nonce: octets.slice(CIPHER_KEY_OCTETS) };
}

async function derived(
  key: CryptoKey,
  { salt, info, octets }: {
    readonly salt: Uint8Array;
    readonly info: string;
    readonly octets: number;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  const params = {
    ...{ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(salt) },
    info: new TextEncoder().encode(`mc-proxy share ${FORMAT} ${info}`),
  };
  return new Uint8Array(await crypto.subtle.deriveBits(params, key, octets * 8));
}

function octetsOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    return undefined;
  }
}
