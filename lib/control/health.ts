import type { CertificateExpiry } from "../certificates/mod.ts";
import type { IssuanceCounts } from "./issuance_options.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { PlaneStatus } from "../plane/mod.ts";

const DAY_MS = 24 * 3_600_000;

/** Time to notice a renewal that fails, and to renew by hand. */
const CERTIFICATE_WARNING_MS = 14 * DAY_MS;
/** MaxMind publishes twice a week; after that long the download has failed for a while. */
const GEOIP_WARNING_MS = 60 * DAY_MS;

/** A worker that does not turn for so long serves nobody; a busy machine does not make it that late. */
const LATE_MS = 10_000;
/** Each look at the database writes a page and waits for the disk. */
const DATABASE_INTERVAL_MS = 10_000;
/** A look that takes longer means that the disk hangs; a busy machine does not make it that late. */
const SLOW_DISK_MS = 10_000;
/** How soon the log says what a change or a reload has brought. */
const FILES_INTERVAL_MS = 1_000;
/** A warning that lasts is logged again after that long. */
const REPEAT_WARNING_MS = DAY_MS;

/** How the proxy is. */
export interface Health {
  readonly state: "serving" | "unhealthy" | "draining";
  /** Why it is not `serving`, one sentence each. */
  readonly problems: readonly string[];
  /** Files that were not taken, so that something older is in use; one sentence each. */
  readonly refusals: readonly string[];
  /** What will become a problem, one sentence each. */
  readonly warnings: readonly string[];
  readonly databaseWritable: boolean;
  readonly certificates: readonly CertificateExpiry[];
  /** Milliseconds since 1970; undefined without a GeoIP database. */
  readonly geoipBuiltMs: number | undefined;
  /** Of certificates that are ordered; undefined without an authority. */
  readonly issuance: IssuanceCounts | undefined;
}

/** What {@link HealthMonitor} looks at. */
export interface HealthSource {
  readonly status: () => Pick<PlaneStatus, "workers">;
  /** Those that are in use. */
  readonly certificates: () => readonly CertificateExpiry[];
  /** When the GeoIP database in use was built, in milliseconds since 1970. */
  readonly geoipBuiltMs: () => number | undefined;
  /** Absent: no authority is configured. */
  readonly issuance?: () => IssuanceCounts | undefined;
  /** Files that could not be reloaded. */
  readonly refusals: () => readonly string[];
  /** What is odd about files that are in use. */
  readonly fileWarnings: () => readonly string[];
  /** @throws {DatabaseError} if nothing can be written. */
  readonly checkDatabase: () => void | Promise<void>;
  /** After that long without an answer the disk is said to hang. Default: 10,000 ms. */
  readonly slowDiskMs?: number;
  /** Why a proxy that belongs to a group lags behind it for too long, if it does. */
  readonly groupProblem?: () => string | undefined;
  /** That a proxy is drained because its group wants it, if it is; one sentence. */
  readonly groupDrain?: () => string | undefined;
  /** Why the database's file is not to be trusted; cheap to ask. */
  readonly databaseProblem?: () => string | undefined;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Watches what a proxy needs in order to go on serving. What is cheap to know is looked up when
 * asked; the database and the certificates are looked at now and then, and changes are logged.
 */
export class HealthMonitor implements Disposable {
  readonly #source: HealthSource;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  readonly #warnedAt = new Map<string, number>();
  #databaseProblem: string | undefined;
  #isLooking = false;

  constructor(source: HealthSource) {
    this.#source = source;
  }

  /** Looks at everything for the first time, and from then on regularly. */
  async start(): Promise<void> {
    await this.checkDatabase();
    this.checkFiles();
    this.#timers.push(
      setInterval(() => void this.checkDatabase(), DATABASE_INTERVAL_MS),
      setInterval(() => this.checkFiles(), FILES_INTERVAL_MS),
    );
  }

  /** How the proxy is now. */
  get(): Health {
    const { workers } = this.#source.status();
    const isEnding = workers.some(({ state }) => state === "draining");
    const drain = this.#source.groupDrain?.();
    const draining = isEnding || drain !== undefined;
    const problems: string[] = [];
    if (drain !== undefined) problems.push(drain);
    if (isEnding) problems.push("draining");
    else problems.push(...workerProblems(workers));
    const lost = this.#source.databaseProblem?.();
    if (lost !== undefined) problems.push(lost);
    else if (this.#databaseProblem !== undefined) {
      problems.push(`the database cannot be written: ${this.#databaseProblem}`);
    }
    const lag = this.#source.groupProblem?.();
    if (lag !== undefined) problems.push(lag);
    return {
      state: draining ? "draining" : problems.length > 0 ? "unhealthy" : "serving",
      problems,
      refusals: this.#source.refusals(),
      warnings: [
        ...workerWarnings(workers),
        ...this.#warnings(),
        ...this.#source.fileWarnings(),
      ],
      databaseWritable: this.#databaseProblem === undefined && lost === undefined,
      certificates: this.#source.certificates(),
      geoipBuiltMs: this.#source.geoipBuiltMs(),
      issuance: this.#source.issuance?.(),
    };
  }

  /** Tries to write the database, unless it is being tried; never fails. */
  async checkDatabase(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { slowDiskMs = SLOW_DISK_MS } = this.#source;
    const late = `the disk has not answered for ${slowDiskMs / 1000} s`;
    const timer = setTimeout(() => this.#noteDatabase(late), slowDiskMs);
    try {
      await this.#source.checkDatabase();
      this.#noteDatabase(undefined);
    } catch (error) {
      this.#noteDatabase(describeError(error), error);
    } finally {
      clearTimeout(timer);
      this.#isLooking = false;
    }
  }

  #noteDatabase(problem: string | undefined, error: unknown = problem): void {
    const before = this.#databaseProblem;
    this.#databaseProblem = problem;
    if (before !== undefined && problem === undefined) {
      this.#log("info", "the database can be written again");
    }
    if (before === undefined && problem !== undefined) {
      this.#log("error", "the database cannot be written", error);
    }
  }

  /** Logs what will become a problem, for example after certificates were rotated. */
  checkFiles(): void {
    const { now } = this.#source;
    const warnings = this.#warnings();
    for (const warning of warnings) {
      if (now() - (this.#warnedAt.get(warning) ?? -Infinity) < REPEAT_WARNING_MS) continue;
      this.#warnedAt.set(warning, now());
      this.#log("warn", warning);
    }
    for (const old of this.#warnedAt.keys()) {
      if (!warnings.includes(old)) this.#warnedAt.delete(old);
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #warnings(): string[] {
    const now = this.#source.now();
    const warnings = this.#source.certificates()
      .map((certificate) => certificateWarning(certificate, now));
    return [...warnings, geoipWarning(this.#source.geoipBuiltMs(), now)]
      .filter((warning) => warning !== undefined);
  }

  #log(level: "info" | "warn" | "error", message: string, error?: unknown): void {
    const fields = error === undefined ? {} : { fields: { error: describeError(error) } };
    this.#source.log({ level, message, ...fields });
  }
}

function workerProblems(workers: PlaneStatus["workers"]): string[] {
  const serving = workers.filter(({ state }) => state === "serving");
  if (serving.length === 0) return ["no worker serves"];
  const least = Math.min(...serving.map(({ lateMs }) => lateMs));
  return least < LATE_MS ? [] : [`no worker has turned for ${Math.round(least / 1000)} s`];
}

function workerWarnings(workers: PlaneStatus["workers"]): string[] {
  return workers.filter(({ lateMs }) => lateMs >= LATE_MS).map(({ index, lateMs }) =>
    `worker ${index} has not turned for ${Math.round(lateMs / 1000)} s`
  );
}

function certificateWarning(
  { file, expiresAtMs, problem }: CertificateExpiry,
  now: number,
): string | undefined {
  const name = JSON.stringify(file);
  if (expiresAtMs === undefined) return `the certificate ${name} cannot be read: ${problem}`;
  if (expiresAtMs - now > CERTIFICATE_WARNING_MS) return undefined;
  const verb = expiresAtMs > now ? "expires" : "expired";
  return `the certificate ${name} ${verb} at ${new Date(expiresAtMs).toISOString()}`;
}

function geoipWarning(builtMs: number | undefined, now: number): string | undefined {
  if (builtMs === undefined || now - builtMs <= GEOIP_WARNING_MS) return undefined;
  return `the GeoIP database is of ${new Date(builtMs).toISOString().slice(0, 10)}`;
}
