import type { ErrorPage } from "../state/mod.ts";

/** The content of an answer of the proxy's own. */
export interface Page {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** What is said of statuses, where an operator says something. */
export type Pages = ReadonlyMap<number, Page>;

const ENCODER = new TextEncoder();

/** Pages by their status; those of `base` where there are no others. */
export function compilePages(pages: readonly ErrorPage[] | undefined, base?: Pages): Pages {
  const own = (pages ?? []).map(({ status, body, contentType }) =>
    [status, { contentType, body: ENCODER.encode(body) }] as const
  );
  return new Map([...base ?? [], ...own]);
}
