import type { SharedCell } from "../balance/mod.ts";
import type { CompiledFirewall } from "../firewall/mod.ts";
import type { PageContent, TlsMaterial } from "../l7/mod.ts";
import type { ResolverSettings } from "../resolver/mod.ts";
import type { Route } from "../routes/mod.ts";
import type {
  ChallengeSnapshot,
  ConnectorSnapshot,
  FirewallSnapshot,
  ListenerSnapshot,
  RateLimitSnapshot,
  Snapshot,
} from "./snapshot.ts";

/** One step from a snapshot to the next; a mutation is a list of them, applied together. */
export type Change =
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  | { readonly kind: "firewall"; readonly firewall: FirewallSnapshot }
  | { readonly kind: "connector"; readonly connector: ConnectorSnapshot }
  /** All names that are being proved from now on. */
  | { readonly kind: "challenges"; readonly challenges: readonly ChallengeSnapshot[] }
  | { readonly kind: "resolver"; readonly resolver: ResolverSettings }
  /** Whether new connections are refused, at all listeners; those that are open go on. */
  | { readonly kind: "drained"; readonly isDrained: boolean }
  /** The rules alone: opening the GeoIP database anew would check the whole of it. */
  | { readonly kind: "rules"; readonly rules: CompiledFirewall }
  | { readonly kind: "rate_limit"; readonly rateLimit?: RateLimitSnapshot }
  | { readonly kind: "add_listener"; readonly listener: ListenerSnapshot }
  | { readonly kind: "remove_listener"; readonly listenerId: number }
  /** Routes that an `add_listener` or a `snapshot` to come will find beside its own. */
  | {
    readonly kind: "stage_routes";
    readonly listenerId: number;
    /** Those that were staged before are forgotten. */
    readonly first: boolean;
    readonly routes: readonly Route[];
  }
  | {
    readonly kind: "routes";
    readonly listenerId: number;
    /** Added, or replacing the route of the same hostname. */
    readonly set: readonly Route[];
    /** Hostnames of removed routes. */
    readonly remove: readonly string[];
  }
  /** Shared memory of backends, before the routes that use it. */
  | {
    readonly kind: "backends";
    readonly set: readonly SharedCell[];
    /** Of backends that no route has and nobody uses any more. */
    readonly remove: readonly Omit<SharedCell, "buffer">[];
  }
  /** What files of error pages hold, for new answers. */
  | {
    readonly kind: "pages";
    readonly set: readonly PageContent[];
    /** Files that nobody names any more. */
    readonly remove: readonly string[];
  }
  /** Certificates and keys for new connections; open ones go on with what they have. */
  | {
    readonly kind: "tls";
    readonly set: readonly TlsMaterial[];
    /** Ids that no route uses any more. */
    readonly remove: readonly string[];
  };
