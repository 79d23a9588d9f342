/** A connection or a request that wants a backend. */
export interface PlaceRequest {
  /** Whose it is, for `source`. */
  readonly source: string;
  /** Backends that it has been to. */
  readonly tried: ReadonlySet<string>;
}

/** Why there is no place. */
export type NoPlace = "full" | "none";
