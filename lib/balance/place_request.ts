/** A connection or a request that wants a backend. */
export interface PlaceRequest {
  /** Whose it is, for `source`. */
  readonly source: string;
  /** Backends that it has been to. */
  readonly tried: ReadonlySet<string>;
  /** The one backend that it is for; it is not given another one, however that is. */
  readonly only?: string | undefined;
}

/** Why there is no place. */
export type NoPlace = "full" | "none";
