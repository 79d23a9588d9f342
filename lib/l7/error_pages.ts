import type { ErrorPage } from "../state/mod.ts";

/** The content of an answer of the proxy's own. */
export interface Page {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** What is said of statuses, where an operator says something. */
export type Pages = ReadonlyMap<number, Page>;

/** What the file of an error page holds; plain data that a worker can be sent. */
export interface PageContent {
  readonly file: string;
  readonly octets: Uint8Array;
}

/** What a file of an error page holds; absent: it was never usable. */
export type PageOf = (file: string) => Uint8Array | undefined;

/** What pages are made of beside what is written down. */
export interface PageSources {
  readonly pageOf: PageOf;
  /** What is said where there are no others. */
  readonly base?: Pages | undefined;
}

const ENCODER = new TextEncoder();

/** Pages by their status; one whose file was never usable says what is said without it. */
export function compilePages(
  pages: readonly ErrorPage[] | undefined,
  { pageOf, base }: PageSources,
): Pages {
  const compiled = new Map(base);
  for (const { status, body, file, contentType } of pages ?? []) {
    const octets = file === undefined ? ENCODER.encode(body) : pageOf(file);
    if (octets !== undefined) compiled.set(status, { contentType, body: octets });
  }
  return compiled;
}
