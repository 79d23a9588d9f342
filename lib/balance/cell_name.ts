/** Tells the shared memory of one backend from all others. */
export interface CellName {
  /** The id of the route. */
  readonly route: number;
  /** Of the backends of one of its paths: what that path is called. */
  readonly path?: string | undefined;
  /** `host:port`. */
  readonly addr: string;
}

/** A text that is another one for every other backend, path or route. */
export function cellKey({ route, path, addr }: CellName): string {
  // An address holds no blank.
  return path === undefined ? `${route} ${addr}` : `${route} ${addr} ${path}`;
}
