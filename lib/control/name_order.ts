import {
  AcmeError,
  backOff,
  checkIssued,
  exportKeyPem,
  generateKey,
  importKeyPem,
  obtainCertificate,
  renewalId,
  renewalTime,
} from "../acme/mod.ts";
import type { AcmeConfig } from "../config/mod.ts";
import { type AcmeOrder, DatabaseError, type IssuedCertificate } from "../db/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { OrderTimes } from "./control_options.ts";
import type { AcmeSession } from "./acme_session.ts";
import type { IssuanceStore } from "./issuance_store.ts";
import { keepingProver, type NameProver } from "./kept_proofs.ts";
import type { OrderTurn } from "./order_turns.ts";

/** After a failure of our own, such as a database that is busy. */
const OWN_FAILURE_MS = 60_000;

/** What {@link obtainForName} and {@link noteFailure} work with. */
export interface OrderContext {
  readonly config: AcmeConfig;
  readonly store: IssuanceStore;
  readonly session: AcmeSession;
  readonly prover: NameProver;
  /** Waits for what the authority is working on; default: a timer. */
  readonly delay?: OrderTimes["delay"] | undefined;
  /** Makes every worker use what was issued. */
  readonly activate: () => Promise<void>;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Of [0, 1). */
  readonly random: () => number;
}

/**
 * One order from its beginning, or from where a process or a proxy before has left it, to the certificate
 * in use.
 *
 * @throws {AcmeError}
 * @throws {DatabaseError} if it cannot be noted, as in a process that does not write any more.
 */
export async function obtainForName(
  name: string,
  { signal, turn }: { readonly signal: AbortSignal; readonly turn: OrderTurn },
  context: OrderContext,
): Promise<void> {
  const { config: { directory, profile }, store, session, now, random, delay } = context;
  const before = turn.left ?? store.order(name);
  const resumed = before?.directory === directory && before.url !== "" ? before : undefined;
  const key = resumed === undefined ? await generateKey() : await importKeyPem(resumed.keyPem);
  const keyPem = await exportKeyPem(key);
  const begun: AcmeOrder = {
    ...{ name, directory, keyPem, url: resumed?.url ?? "", nextAt: 0, proof: resumed?.proof },
    ...{ failures: before?.failures ?? 0, lastError: before?.lastError ?? "" },
  };
  await store.begin(begun, now());
  await turn.note(begun);
  const client = await session.open();
  const prover = keepingProver(context.prover, name, store);
  const old = store.certificate(name);
  const attempt = (resume: string | undefined) =>
    obtainCertificate({
      ...{ client, key, prover, signal, profile, names: [name], resume },
      replaces: old?.directory === directory ? renewalId(old.certPem) : undefined,
      onOrder: (url) => noteOrder(url, { store, name, turn }),
      mayGoOn: () => turn.check(),
      ...delay && { delay },
    });
  const certPem = await attempt(resumed?.url).catch((error) => {
    // While two processes share a port, the authority may have met the one that did not show the
    // proof: that an order of before ends is no failure of this attempt.
    if (resumed === undefined || !endsOrder(error)) throw error;
    return attempt(undefined);
  });
  const life = checkIssued({ certPem, keyPem }, { names: [name], nowMs: now() });
  const renewAt = renewalTime(life, { window: undefined, random: random() });
  const issued = { name, directory, certPem, keyPem, issuedAt: now(), renewAt };
  await activate(issued, life, context);
}

async function noteOrder(
  url: string,
  { store, name, turn }: {
    readonly store: IssuanceStore;
    readonly name: string;
    readonly turn: OrderTurn;
  },
): Promise<void> {
  const order = store.order(name);
  if (order === undefined || order.url === url) return;
  const noted = { ...order, url, proof: undefined };
  await store.setOrder(noted);
  await turn.note(noted);
}

/** Kept first, then in use by every worker, as if a file had changed. */
async function activate(
  certificate: IssuedCertificate,
  life: { readonly notAfterMs: number; readonly issuer: string },
  { store, activate, now, log }: OrderContext,
): Promise<void> {
  const { name, directory } = certificate;
  const expires = new Date(life.notAfterMs).toISOString();
  const shown = { issuer: life.issuer, expires, directory };
  await store.keep(certificate, { time: now(), shown });
  await activate();
  const fields = { hostname: name, issuer: life.issuer, expires };
  log({ level: "info", message: "certificate issued", fields });
}

/** Notes why an order has failed, and when the next one may be tried, and gives that. Never fails. */
export async function noteFailure(
  name: string,
  error: unknown,
  { store, session, config: { directory }, now, random, log }: OrderContext,
): Promise<AcmeOrder> {
  const lastError = describeError(error);
  const before = store.order(name);
  const isOurs = error instanceof DatabaseError;
  const failures = (before?.failures ?? 0) + (isOurs ? 0 : 1);
  const { retryAfterMs = 0, type, code } = error instanceof AcmeError ? error : {};
  const wait = isOurs ? OWN_FAILURE_MS : backOff(failures, { random: random(), retryAfterMs });
  // The account or its key is unknown to the authority: the next attempt makes another one.
  if (type === "accountDoesNotExist") await session.forgetAccount();
  // What could not be reached goes on where it stood; everything else begins anew.
  const resumes = code === "network" || code === "timeout" || type === "rateLimited";
  const order: AcmeOrder = {
    ...{ name, directory, failures, lastError, nextAt: now() + wait },
    url: resumes ? before?.url ?? "" : "",
    keyPem: resumes ? before?.keyPem ?? "" : "",
  };
  const next = new Date(order.nextAt).toISOString();
  const fields = { hostname: name, error: lastError, failures, next };
  log({ level: "warn", message: "certificate could not be obtained", fields });
  await store.setOrder(order).catch(() => {}); // In memory it counts all the same.
  return order;
}

/** Whether an authority has ended an order, and would take another one. */
function endsOrder(error: unknown): boolean {
  return error instanceof AcmeError && error.type !== "rateLimited" &&
    (error.code === "refused" || error.code === "failed");
}
