import { invalid } from "../control/mod.ts";

const MAX_PAGE = 10_000;

/** What a request says of the page that it wants. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/**
 * How many entries a page has at most; `Infinity` for all of them.
 *
 * @throws {RefusedError}
 */
export function pageSizeOf({ pageSize }: PageRequest): number {
  if (pageSize > MAX_PAGE) throw invalid("page_size", `not in 0–${MAX_PAGE}`);
  return pageSize === 0 ? Infinity : pageSize;
}

/** The id that a page begins after; 0: it is the first one. */
export function idOfToken({ pageToken }: PageRequest): number {
  if (!/^[0-9]{0,15}$/.test(pageToken)) {
    throw invalid("page_token", "is not one that was given out");
  }
  return Number(pageToken);
}

/** One page of what is sorted by key, and the token of the next one: the key of its last entry. */
export function pageByKey<T>(
  sorted: readonly T[],
  keyOf: (entry: T) => string,
  request: PageRequest,
): { readonly page: readonly T[]; readonly nextPageToken: string } {
  const { pageToken } = request;
  const from = pageToken === "" ? 0 : sorted.findIndex((entry) => keyOf(entry) > pageToken);
  const size = pageSizeOf(request);
  if (from < 0) return { page: [], nextPageToken: "" };
  const page = sorted.slice(from, from + size);
  const last = page.at(-1);
  const isEnd = from + size >= sorted.length || last === undefined;
  return { page, nextPageToken: isEnd ? "" : keyOf(last) };
}
