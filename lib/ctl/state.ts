import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { EXIT, UsageError } from "../terminal/mod.ts";
import {
  ApplyResponseSchema,
  ExportStateResponseSchema,
  type ReloadResponse,
  ReloadResponseSchema,
  WriteBackResponseSchema,
} from "../admin/gen/mod.ts";
import { type ApplyResponse, type Difference, InvalidArgumentError } from "../client/mod.ts";
import { stateOfAnswer, stateToMessage } from "../messages/mod.ts";
import { formatProblem, placeProblems, readWantedState } from "../config/mod.ts";
import { type State, writeStateFile } from "../state/mod.ts";
import { type ProposedRule, refuseDangerous } from "./dangerous_rules.ts";
import { changeWords } from "./observe.ts";
import { replayLines } from "./history.ts";
import { count, type Session } from "./session.ts";

/** A state with 100,000 routes has about 20 MB as TOML, one with a million rules 75 MB. */
const MAX_FILE_BYTES = 128 * 1024 * 1024;
/** As long as the proxy allows: a million rules take minutes. */
const APPLY_TIMEOUT_MS = 600_000;

/** What the flags of `apply` say. */
export interface ApplyFlags {
  readonly file: string;
  readonly diff?: boolean;
  readonly close?: boolean;
  readonly yes?: boolean;
  readonly replay?: number;
}

/** `apply`: shows what differs, then makes it so, unless the state has changed in between. */
export async function applyFile(session: Session, flags: ApplyFlags): Promise<void> {
  const { diff = false, close: closeConnections = false, replay } = flags;
  if (replay !== undefined && !diff) throw new UsageError("--replay needs --diff");
  const file = await readState(flags.file, session);
  const state = stateToMessage(file.state);
  const call = { timeoutMs: Math.max(APPLY_TIMEOUT_MS, session.options.timeout) };
  const past = replay !== undefined && { replay: durationFromMs(replay) };
  const found = await session.client.apply({ state, dryRun: true, ...past }, call)
    .catch((error) => refusePlaced(error, file));
  if (diff || countOf(found) === 0) {
    session.answer(ApplyResponseSchema, found, (answer) => [
      ...differenceLines(answer),
      ...replayLines(answer.replay, session),
    ]);
    return;
  }
  if (!session.json) session.print(...differenceLines(found));
  if (flags.yes !== true) await refuseDangerous(session, newRules(found));
  const { revision: ifRevision, zoneVersions: ifZoneVersions } = found;
  const wanted = { state, ifRevision, ifZoneVersions, closeConnections };
  const done = await session.client.apply(wanted, call);
  const closed = done.closedConnections > 0
    ? `; ${count(done.closedConnections, "connection")} closed`
    : "";
  session.answer(ApplyResponseSchema, done, ({ revision }) => [
    `applied ${count(countOf(done), "change")}, now at revision ${revision}${closed}`,
    ...done.recordsPending
      ? ["the records are decided on; the name server is told of them until it confirms"]
      : [],
  ]);
}

/**
 * What the proxy has found out about a file is wrong at a place of that file.
 *
 * @throws {UsageError} with everything, one line each; any other error as it is.
 */
function refusePlaced(error: unknown, { name, text }: WantedFile): never {
  if (!(error instanceof InvalidArgumentError) || error.problems.length === 0) throw error;
  const problems = error.problems.map(({ field, description }) => ({
    field,
    message: description,
  }));
  const lines = placeProblems(text, problems).map((problem) => formatProblem(name, problem));
  throw new UsageError(lines.join("\n"), { cause: error });
}

/** `reload`: files are read again; 1 if one of them was not taken. */
export async function reload(
  session: Session,
  { diff: dryRun = false, close: closeConnections = false }: {
    readonly diff?: boolean;
    readonly close?: boolean;
  },
): Promise<number> {
  const call = { timeoutMs: Math.max(APPLY_TIMEOUT_MS, session.options.timeout) };
  const done = await session.client.reload({ dryRun, closeConnections }, call);
  session.answer(ReloadResponseSchema, done, (answer) => [
    ...answer.stateSource === "file" ? differenceLines(answer) : [],
    ...dryRun ? [] : [reloadedWords(answer)],
    ...answer.restartNeeded.map((what) => `not before a restart: ${what}`),
    ...answer.refused.map((reason) => `not taken: ${reason}`),
  ]);
  return done.refused.length === 0 ? EXIT.ok : EXIT.failed;
}

function reloadedWords({ stateSource, statePath, revision, closedConnections }: ReloadResponse) {
  if (stateSource !== "file") {
    return "read again: certificates and GeoIP; what is served the database says";
  }
  const closed = closedConnections > 0 ? `; ${count(closedConnections, "connection")} closed` : "";
  return `${statePath} is in effect, at revision ${revision}${closed}`;
}

/** `export`: the state as `apply` takes it. */
export async function exportState(session: Session): Promise<void> {
  const call = { timeoutMs: Math.max(APPLY_TIMEOUT_MS, session.options.timeout) };
  const found = await session.client.exportState({}, call);
  if (session.json) session.answer(ExportStateResponseSchema, found, () => []);
  else if (found.state !== undefined) session.raw(writeStateFile(stateOfAnswer(found.state)));
}

/** `write-back`: the database, as the proxy has it open, at its path again. */
export async function writeBack(session: Session): Promise<void> {
  const call = { timeoutMs: Math.max(APPLY_TIMEOUT_MS, session.options.timeout) };
  const done = await session.client.writeBack({}, call);
  session.answer(WriteBackResponseSchema, done, ({ path, size, aside, revision }) => {
    const moved = aside === "" ? "" : `; the file that had taken its place is ${aside}`;
    return [`${path}: ${count(size, "octet")} at revision ${revision}${moved}`];
  });
}

/** Rules that would be made. */
function newRules({ differences }: ApplyResponse): ProposedRule[] {
  return differences
    .filter(({ kind, action }) => kind === "firewall_rule" && action === "add")
    .map(({ after }) => JSON.parse(after));
}

const SIGNS: Readonly<Record<string, string>> = { add: "+", update: "~", remove: "-" };

type Differing = Pick<ApplyResponse, "differences" | "totalDifferences">;

/** How many differences there are; an older proxy names them all and does not count them. */
function countOf({ differences, totalDifferences }: Differing): number {
  return Math.max(differences.length, totalDifferences);
}

function differenceLines(found: Differing): string[] {
  const { differences } = found;
  const total = countOf(found);
  if (total === 0) return ["no difference"];
  const unnamed = total - differences.length;
  const touched = differences.reduce((sum, { liveConnections }) => sum + liveConnections, 0);
  const live = touched > 0 ? `, ${count(touched, "live connection")} on them` : "";
  return [
    ...differences.map(differenceLine),
    ...unnamed > 0 ? [`… and ${unnamed} more`] : [],
    `${count(total, "difference")}${live}`,
  ];
}

function differenceLine({ action, kind, subject, before, after, liveConnections }: Difference) {
  const live = liveConnections > 0 ? ` [${liveConnections} live]` : "";
  const change = action === "update" ? ` ${changeWords(before, after)}` : "";
  return `${SIGNS[action] ?? "?"} ${kind} ${subject}${change}${live}`;
}

/** A file that holds, so far. */
interface WantedFile {
  /** As messages name it. */
  readonly name: string;
  readonly text: string;
  readonly state: State;
}

/** @throws {UsageError} with everything that is wrong with the file, one line each. */
async function readState(file: string, session: Session): Promise<WantedFile> {
  const name = file === "-" ? "standard input" : file;
  const text = await readText(file, session);
  const read = readWantedState(text);
  if (read.ok) {
    if (read.skipped.length > 0) {
      const what = read.skipped.join(", ");
      session.note(`skipped ${what}: settings of the process, which are read at its start`);
    }
    return { name, text, state: read.state };
  }
  const lines = read.problems.map((problem) => formatProblem(name, problem));
  throw new UsageError(lines.join("\n"));
}

async function readText(file: string, { stdin }: Session): Promise<string> {
  try {
    const source = file === "-" ? stdin.readable : (await Deno.open(file)).readable;
    return await readLimited(source);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (error instanceof Deno.errors.NotCapable) {
      throw new UsageError(`${file}: no permission to read it; use \`-f - <${file}\``, {
        cause: error,
      });
    }
    const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : String(error);
    throw new UsageError(`${file}: ${reason}`, { cause: error });
  }
}

async function readLimited(source: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > MAX_FILE_BYTES) throw new UsageError(`the file is over ${MAX_FILE_BYTES} octets`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
