import { AcmeTlsError } from "./error.ts";
import { GROUPS } from "./hello.ts";

/** Our half of a key exchange. */
export interface Share {
  readonly group: number;
  /** What the other side gets. */
  readonly publicShare: Uint8Array;
  /** @throws {AcmeTlsError} if the other half is no point of the group. */
  agree(other: Uint8Array): Promise<Uint8Array>;
}

/** Makes a half that is used once. */
export async function createShare(group: number): Promise<Share> {
  const algorithm = algorithmOf(group);
  const pair = await crypto.subtle.generateKey(algorithm, false, ["deriveBits"]) as CryptoKeyPair;
  return await shareOf(group, pair);
}

/** {@link createShare} of a key that is known: vectors are made with it. */
export async function shareOf(group: number, pair: CryptoKeyPair): Promise<Share> {
  const algorithm = algorithmOf(group);
  return {
    group,
    publicShare: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)),
    async agree(other) {
      try {
        const raw = new Uint8Array(other);
        const key = await crypto.subtle.importKey("raw", raw, algorithm, false, []);
        const derive = { name: algorithm.name, public: key };
        const shared = new Uint8Array(await crypto.subtle.deriveBits(derive, pair.privateKey, 256));
        // RFC 8446 §7.4.2: what comes of a point of small order is refused.
        if (shared.every((octet) => octet === 0)) throw new TypeError("all zeroes");
        return shared;
      } catch {
        throw new AcmeTlsError("the client's key share is no point of its group");
      }
    },
  };
}

function algorithmOf(group: number): { name: string; namedCurve?: string } {
  return group === GROUPS.x25519 ? { name: "X25519" } : { name: "ECDH", namedCurve: "P-256" };
}
