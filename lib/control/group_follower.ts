import { type FleetLink, listenToGroup, type Report, wayFrom } from "../fleet/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { Group } from "./group.ts";
import type { ServedState } from "./served_state.ts";

/** How often the log is looked at, heard of or not. */
const BEAT_MS = 1_000;

/** What a {@link GroupFollower} works with. */
export interface GroupFollowerOptions {
  readonly group: Group;
  readonly link: FleetLink;
  readonly state: ServedState;
  /** What this proxy says of itself when it has another revision in effect. */
  readonly report: () => Report;
  /** Called when another proxy has something to tell that is not to wait. */
  readonly onAttention: () => void;
  readonly log: LogSink;
  /** After so long without having caught up the proxy is not well; 0: it is all the same. */
  readonly maxLagMs: number;
  /** Called when whose turn it is to order may have changed, or what proves a name. */
  readonly onOrders: () => void;
  /** Default: 1,000. */
  readonly beatMs?: number;
}

/**
 * Follows the log of a group for as long as the proxy runs: when a revision is announced, and now and
 * then untold, for nobody promises that an announcement arrives.
 */
export class GroupFollower implements AsyncDisposable {
  readonly #options: GroupFollowerOptions;
  readonly #listening: AsyncDisposable;
  readonly #beat: ReturnType<typeof setInterval>;
  #looking: Promise<void> | undefined;
  #isAsked = false;
  #isClosed = false;
  #reporting: Promise<void> | undefined;
  #isReportDue = false;
  #silence: string | undefined;
  /** Whether the tables have been looked at since PostgreSQL was away. */
  #isPrepared = false;
  /** What does not work with the tables that are there. */
  #lack: string | undefined;
  readonly #watching: Disposable;
  #caughtUpAt = performance.now();

  constructor(options: GroupFollowerOptions) {
    this.#options = options;
    const { link, group, beatMs = BEAT_MS } = options;
    this.#listening = listenToGroup({
      server: link.options.server,
      channel: () => link.channel(),
      onRevision: (revision) => {
        group.announce();
        if (revision === undefined || revision > group.position.revision) this.look();
      },
      onAttention: options.onAttention,
      onOrders: options.onOrders,
      onProblem: (error) => {
        this.#silence = error === undefined ? undefined : describeError(error);
        this.#isPrepared = false;
      },
    });
    this.#watching = options.state.watch(() => this.report());
    this.#beat = setInterval(() => this.look(), beatMs);
    // From now on others wait for this one.
    this.report();
  }

  /** Why the proxy is not well: it cannot catch up with the group, or has not for longer than it may. */
  get problem(): string | undefined {
    const { maxLagMs, group } = this.#options;
    // No time mends this.
    if (group.isStuck) return `the group cannot be followed: ${group.problem}`;
    const { lagMs } = this;
    if (maxLagMs === 0 || lagMs <= maxLagMs) return undefined;
    const why = group.problem === undefined ? "" : `: ${group.problem}`;
    return `the proxy has not caught up with its group for ${Math.round(lagMs / 1000)} s${why}`;
  }

  /** How long ago it has been where the group is. */
  get lagMs(): number {
    return performance.now() - this.#caughtUpAt;
  }

  /** What is odd, and works all the same; one sentence each. */
  get warnings(): readonly string[] {
    const { problem } = this.#options.group;
    if (problem !== undefined) return [`the group cannot be followed: ${problem}`];
    const lack = this.#lack === undefined ? [] : [this.#lack];
    if (this.#silence === undefined) return lack;
    return [
      `revisions of the group are not announced, so they come later: ${this.#silence}`,
      ...lack,
    ];
  }

  /** Looks at the log once, or once more if that is being done. */
  look(): void {
    this.#isAsked = true;
    this.#looking ??= this.#follow().finally(() => this.#looking = undefined);
  }

  /** Says what this proxy has in effect. */
  report(): void {
    this.#isReportDue = true;
    this.#reporting ??= this.#report().finally(() => this.#reporting = undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#beat);
    this.#watching[Symbol.dispose]();
    await this.#listening[Symbol.asyncDispose]();
    await Promise.all([this.#looking, this.#reporting]);
  }

  async #follow(): Promise<void> {
    const { group, state, log } = this.#options;
    while (this.#isAsked && !this.#isClosed) {
      this.#isAsked = false;
      // It is the other process's business, until it gives the database back.
      if ((state.database.role?.look() ?? "ours") !== "ours") return;
      try {
        await this.#lookOnce();
        if (group.problem !== undefined) {
          log({ level: "info", message: "the group is followed again" });
        }
        group.note(undefined);
      } catch (error) {
        if (this.#isClosed) return;
        const isNews = group.problem !== describeError(error);
        group.note(error);
        if (!isNews) continue;
        const fields = { error: describeError(error), revision: group.position.revision };
        log({ level: "error", message: "the group cannot be followed", fields });
      }
    }
  }

  /** What came back may be another server, with tables of another time. */
  async #prepare(): Promise<void> {
    if (this.#isPrepared) return;
    this.#isPrepared = true;
    try {
      const lack = await this.#options.link.prepare();
      if (lack !== undefined && lack !== this.#lack) {
        this.#options.log({ level: "warn", message: lack });
      }
      this.#lack = lack;
    } catch (error) {
      this.#isPrepared = false;
      throw error;
    }
  }

  async #lookOnce(): Promise<void> {
    const { group, state, link } = this.#options;
    await this.#prepare();
    for (;;) {
      const { position } = group;
      // A server that does not answer is noticed soon; one that has much to say is given its time.
      const head = await link.head(position.revision);
      const isNews = wayFrom(position, head) === "take_all" || head.revision > position.revision;
      if (!isNews && state.database.settings.unsent.length === 0) break;
      const page = await link.follow(position.revision);
      const way = wayFrom(position, page.head);
      await state.exclusive(async () => {
        if (way === "take_all") await group.takeAll();
        else await group.take(page);
        await group.sendOwed();
      });
      if (group.position.revision >= page.head.revision) break;
    }
    this.#caughtUpAt = performance.now();
  }

  async #report(): Promise<void> {
    const { link, report } = this.#options;
    while (this.#isReportDue && !this.#isClosed) {
      this.#isReportDue = false;
      // What hinders it is what following the log meets too, and is said there.
      await link.report(report()).catch(() => {});
    }
  }
}
