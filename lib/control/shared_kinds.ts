import { createHash, X509Certificate } from "node:crypto";
import { AcmeError, checkIssued } from "../acme/mod.ts";
import { checkTlsPair, describeFaults, type PairFiles } from "../certificates/mod.ts";
import type { OpenedSecret, OwnSecret, SharedKind, Took } from "./group_sharing.ts";
import type { IssuanceStore } from "./issuance_store.ts";

/** What a thing that is there no more is told by. */
const REMOVED = { digest: "removed", content: JSON.stringify({ isRemoved: true }) } as const;

/** What kinds of things work with. */
export interface SharedKindOptions {
  readonly store: IssuanceStore;
  /** Of the authority that is asked here; absent: none is. */
  readonly directory: string | undefined;
  /** Names that want a certificate here. */
  readonly wanted: () => ReadonlySet<string>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What authorities have issued: others have it as if they had got it themselves. */
export function sharedCertificates(
  { store, directory = "", wanted, now }: SharedKindOptions,
): SharedKind {
  const beginning = `certificate ${directory} `;
  const removedOf = (name: string): OwnSecret[] => {
    const hostname = name.slice(beginning.length);
    const isGone = directory !== "" && name.startsWith(beginning) &&
      store.certificate(hostname)?.directory !== directory;
    return isGone ? [{ name, ...REMOVED }] : [];
  };
  return {
    kind: "certificate",
    *list(): Generator<OwnSecret> {
      for (const hostname of wanted()) {
        const found = store.certificate(hostname);
        if (found === undefined || found.directory !== directory) continue;
        const { certPem, keyPem, issuedAt, renewAt } = found;
        yield {
          name: `${beginning}${hostname}`,
          digest: digestOf(certPem, keyPem),
          content: JSON.stringify({ certPem, keyPem, issuedAt, renewAt }),
        };
      }
      for (const name of store.sharedNames()) yield* removedOf(name);
    },
    async take({ name, version, content }: OpenedSecret): Promise<Took> {
      const [, of = "", hostname = ""] = name.split(" ");
      const { certPem, keyPem, issuedAt, renewAt, isRemoved } = fieldsOf(content);
      // Of another authority than this proxy's it is none that would be used.
      const isOurs = directory === "" || of === directory;
      if (isRemoved === true) {
        const { digest } = REMOVED;
        const secret = { name, version, digest, content: "" };
        await store.forgetShared(isOurs ? hostname : undefined, secret);
        return { ok: true, digest };
      }
      if (typeof certPem !== "string" || typeof keyPem !== "string") return MALFORMED;
      const digest = digestOf(certPem, keyPem);
      if (!isOurs) {
        await store.note(name, { version, digest });
        return { ok: true, digest };
      }
      try {
        checkIssued({ certPem, keyPem }, { names: [hostname], nowMs: now() });
      } catch (error) {
        if (!(error instanceof AcmeError)) throw error;
        return { ok: false, reason: error.message };
      }
      const times = { issuedAt: timeOf(issuedAt, now()), renewAt: timeOf(renewAt, now()) };
      const certificate = { name: hostname, directory: of, certPem, keyPem, ...times };
      await store.takeShared(certificate, { name, version, digest, content: "" }, now());
      return { ok: true, digest };
    },
  };
}

/** The account at the authority, so that its limits and its renewals are one. */
export function sharedAccount(
  { store, directory, onTaken }: Pick<SharedKindOptions, "store" | "directory"> & {
    /** Called when this proxy has another account than before. */
    readonly onTaken: () => void;
  },
): SharedKind {
  return {
    kind: "account",
    *list(): Generator<OwnSecret> {
      const account = directory === undefined ? undefined : store.account(directory);
      // One whose key is being exchanged is shared when it is known which key it has.
      if (account === undefined || account.url === "" || account.nextKeyPem !== "") return;
      const { url, keyPem } = account;
      yield {
        name: `account ${directory}`,
        digest: digestOf(url, keyPem),
        content: JSON.stringify({ url, keyPem }),
      };
    },
    async take({ name, version, content }: OpenedSecret): Promise<Took> {
      const { url, keyPem } = fieldsOf(content);
      if (typeof url !== "string" || typeof keyPem !== "string") return MALFORMED;
      const digest = digestOf(url, keyPem);
      if (name !== `account ${directory}`) {
        await store.note(name, { version, digest });
      } else {
        const account = { url, keyPem, nextKeyPem: "" };
        await store.takeAccount(directory ?? "", account, { name, version, digest, content: "" });
        onTaken();
      }
      return { ok: true, digest };
    },
  };
}

/** A pair of files, and what they hold. */
export interface HeldFiles extends PairFiles {
  readonly certPem: string;
  readonly keyPem: string;
}

/**
 * Certificates and keys of files, for proxies that have no such files. The one that begins last is the
 * newest; a proxy with files of its own uses those.
 */
export function sharedPairs(
  { store, held }: {
    readonly store: IssuanceStore;
    /** What this proxy has read of files. */
    readonly held: () => Iterable<HeldFiles>;
  },
): SharedKind {
  return {
    kind: "pair",
    keepsContent: true,
    *list(): Generator<OwnSecret> {
      const newer = new Set<string>();
      for (const { certificate, key, certPem, keyPem } of held()) {
        const name = pairNameOf({ certificate, key });
        const shared = sharedPairOf(store, name);
        // Where two proxies have different files, each would replace the other's for ever.
        if (shared !== undefined && beginOf(shared.certPem) >= beginOf(certPem)) continue;
        newer.add(name);
        yield {
          name,
          digest: digestOf(certPem, keyPem),
          content: JSON.stringify({ certPem, keyPem }),
        };
      }
      for (const name of store.sharedNames()) {
        if (newer.has(name) || !name.startsWith("pair ")) continue;
        const { digest, content } = store.known(name) ?? REMOVED;
        yield { name, digest, content };
      }
    },
    async take({ name, version, content }: OpenedSecret): Promise<Took> {
      const { certPem, keyPem } = fieldsOf(content);
      if (typeof certPem !== "string" || typeof keyPem !== "string") return MALFORMED;
      const check = checkTlsPair(certPem, keyPem);
      if (!check.ok) return { ok: false, reason: describeFaults(check.faults) };
      const digest = digestOf(certPem, keyPem);
      await store.note(name, { version, digest, content });
      return { ok: true, digest };
    },
  };
}

/** What the group shares of a pair of files; undefined: nobody has shared it. */
export function sharedPairOf(
  store: Pick<IssuanceStore, "known">,
  name: string,
): { readonly certPem: string; readonly keyPem: string } | undefined {
  const { certPem, keyPem } = fieldsOf(store.known(name)?.content ?? "");
  return typeof certPem === "string" && typeof keyPem === "string"
    ? { certPem, keyPem }
    : undefined;
}

/** What the group calls a pair of files. */
export function pairNameOf({ certificate, key }: PairFiles): string {
  return `pair ${JSON.stringify([certificate, key])}`;
}

const MALFORMED = { ok: false, reason: "it is of no form that this program knows" } as const;

function fieldsOf(content: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(content));
  } catch {
    return {};
  }
}

function timeOf(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isSafeInteger(Math.trunc(value)) ? value : otherwise;
}

function digestOf(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function beginOf(certPem: string): number {
  try {
    return new X509Certificate(certPem).validFromDate.getTime();
  } catch {
    return 0;
  }
}
