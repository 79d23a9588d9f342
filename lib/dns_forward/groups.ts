import { foldCase, type OctetString, octetString } from "../dns/mod.ts";
import { namesAbove } from "./names.ts";
import type { ForwardSettings, UpstreamSettings } from "./settings.ts";
import { type Transport, Upstream } from "./upstream.ts";

/** Upstreams for a zone and what is below it. */
export interface Group {
  /** Its case folded; the root: whatever no other group is for. */
  readonly zone: OctetString;
  readonly upstreams: readonly Upstream[];
}

/** Which upstreams are asked about which names. */
export class Groups {
  readonly #options: { readonly now: () => number; readonly transport?: Transport | undefined };
  #groups: ReadonlyMap<OctetString, Group> = new Map();

  constructor(options: { readonly now: () => number; readonly transport?: Transport | undefined }) {
    this.#options = options;
  }

  get all(): Iterable<Group> {
    return this.#groups.values();
  }

  /** The group of the longest zone that a name is in. */
  of(key: OctetString): Group | undefined {
    for (const name of namesAbove(key)) {
      const group = this.#groups.get(name);
      if (group !== undefined) return group;
    }
    return undefined;
  }

  /** Takes other settings, and keeps what is known of upstreams that stay; whether any are other. */
  update({ upstreams, zones = [] }: Pick<ForwardSettings, "upstreams" | "zones">): boolean {
    const known = new Map(
      [...this.all].flatMap((group) =>
        group.upstreams.map((upstream) => [identityOf(upstream.settings), upstream] as const)
      ),
    );
    const upstreamOf = (own: UpstreamSettings): Upstream => {
      const identity = identityOf(own);
      const upstream = known.get(identity) ?? new Upstream(own, this.#options);
      known.set(identity, upstream); // Whether it answers is the same for all zones.
      return upstream;
    };
    const before = this.#describe();
    const groups = new Map<OctetString, Group>();
    if (upstreams.length > 0) {
      groups.set(ROOT, { zone: ROOT, upstreams: upstreams.map(upstreamOf) });
    }
    for (const { zone, upstreams } of zones) {
      const key = foldCase(octetString(zone));
      groups.set(key, { zone: key, upstreams: upstreams.map(upstreamOf) });
    }
    this.#groups = groups;
    return this.#describe() !== before;
  }

  #describe(): string {
    return JSON.stringify([...this.all].map(({ zone, upstreams }) => [
      zone,
      upstreams.map(({ settings }) => identityOf(settings)),
    ]));
  }
}

const ROOT: OctetString = "\0";

function identityOf({ hostname, port, isTrusted }: UpstreamSettings): string {
  return `${hostname} ${port} ${isTrusted}`;
}
