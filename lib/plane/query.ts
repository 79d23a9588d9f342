/** Which connections are meant: those for which every given part holds. */
export interface ConnectionQuery {
  /** Also of a listener that is gone, whose address another one may have by now. */
  readonly listenerId?: number;
  /** The address of a listener, as configured. */
  readonly listener?: string;
  /** The hostname of the route they took. */
  readonly route?: string;
  /** Where they go, of several backends; of l7: where requests of theirs go that are open. */
  readonly backend?: string;
  /** With that: of which path's; empty: of the route itself. */
  readonly path?: string;
  /** The address of the real client, or a block that it is in. */
  readonly client?: string;
  /** Only those that took a route which has been replaced or removed since. */
  readonly stale?: boolean;
  /** The firewall rule that would block the client now. */
  readonly blockedBy?: number;
}
