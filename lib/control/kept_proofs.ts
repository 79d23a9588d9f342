import {
  createChallengeCertificate,
  exportKeyPem,
  fromPem,
  generateKey,
  type Prover,
} from "../acme/mod.ts";
import type { KeptProof } from "../db/mod.ts";
import type { ChallengeSnapshot } from "../plane/mod.ts";
import type { IssuanceStore } from "./issuance_store.ts";

/** Shows proofs of names, and can be told to show none of a name. */
export interface NameProver extends Prover {
  /** Takes back what is shown for a name from before a restart, which was kept. Never fails. */
  forget(name: string, kept?: KeptProof): Promise<void>;
  /** Ends what it goes on with on its own. */
  close?(): void;
}

/**
 * Keeps each proof with its order before it is shown, so before the authority is told to look: a process
 * that takes over, or comes after a crash, shows it from its first moment on.
 */
export function keepingProver(prover: Prover, name: string, store: IssuanceStore): Prover {
  return {
    type: prover.type,
    async show(proof, signal) {
      const order = store.order(name);
      const { token, keyAuthorization } = proof;
      const kept = { type: prover.type, token, keyAuthorization };
      if (order !== undefined) await store.setOrder({ ...order, proof: kept });
      await prover.show(proof, signal);
    },
    hide: (proof) => prover.hide(proof),
  };
}

/** What the data plane shows for the orders that a process before this one has left. */
export async function challengesOf(
  store: IssuanceStore,
  { type, directory, now }: {
    readonly type: string;
    readonly directory: string;
    readonly now: number;
  },
): Promise<ChallengeSnapshot[]> {
  const challenges: ChallengeSnapshot[] = [];
  for (const { name, directory: of, url, proof } of store.orders()) {
    if (proof?.type !== type || of !== directory || url === "") continue;
    const challenge = await challengeOf(name, proof, now);
    if (challenge !== undefined) challenges.push(challenge);
  }
  return challenges;
}

/** What the data plane shows for a proof; nothing for one that is shown elsewhere. */
export async function challengeOf(
  name: string,
  { type, token, keyAuthorization }: KeptProof,
  nowMs: number,
): Promise<ChallengeSnapshot | undefined> {
  if (type === "http-01") return { type, name, token, keyAuthorization };
  if (type !== "tls-alpn-01") return undefined;
  const key = await generateKey();
  const certificate = await createChallengeCertificate(key, { name, keyAuthorization, nowMs });
  const pkcs8 = fromPem("PRIVATE KEY", await exportKeyPem(key));
  return { type, name, certificate, key: pkcs8 };
}
