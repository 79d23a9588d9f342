import type { Pages } from "./error_pages.ts";
import type { Edit } from "./header_edits.ts";

/** What a route does with the messages of an exchange. */
export interface MessageRules {
  readonly editRequest?: Edit | undefined;
  readonly editResponse?: Edit | undefined;
  /** What is said of the proxy's own errors. */
  readonly pages?: Pages | undefined;
  /** Octets of content that a request may have. */
  readonly maxRequestBody?: number | undefined;
  /** Instead of the proxy's. */
  readonly idleTimeoutMs?: number | undefined;
}

/** Why content ends a request. */
export const TOO_LARGE = "the content is over max_request_body";
