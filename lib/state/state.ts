import { field, record, records, type ValueOf } from "../schema/mod.ts";
import { DNS_SET, MAX_DNS_SETS } from "./dns_record.ts";
import { MAX_LISTENERS, MAX_RULES } from "./limits.ts";
import { LISTENER } from "./listener.ts";
import { RATE_LIMIT } from "./rate_limit.ts";
import { RULE } from "./rule.ts";

/** Everything that can be changed at run time; a part that is absent stays as it is. */
export const STATE = record({
  listeners: field("listeners", records(LISTENER, { maxLength: MAX_LISTENERS }), {
    optional: true,
    doc: "An address to accept connections at.",
  }),
  rules: field("rules", records(RULE, { maxLength: MAX_RULES }), {
    optional: true,
    doc: "Who is refused.",
  }),
  rateLimit: field("rate_limit", RATE_LIMIT, {
    optional: true,
    doc: "How many connections a source address may begin.",
  }),
  records: field("records", records(DNS_SET, { maxLength: MAX_DNS_SETS }), {
    optional: true,
    doc: "Records at the name server beside the proxy.",
  }),
});

/** The state that an operator wants; a part that is absent stays as it is. */
export type State = ValueOf<typeof STATE>;
