import type { Explanation } from "../dns_control/mod.ts";
import { mayRead, timeText } from "./answers.ts";
import { forbidden } from "./auth.ts";
import { integerOf } from "./parameters.ts";
import { recursionOf } from "./recursion_words.ts";
import type { Route } from "./route.ts";
import type { RoutesOptions } from "./routes_options.ts";
import * as schema from "./schemas.ts";

/** Entries of the audit log in one answer at most, and in one that does not say how many. */
const MAX_AUDIT = 1000;
const AUDIT = 100;

/** The server itself: how it is, what it would answer, what was changed. */
export function serverRoutes(
  { control, version, problem = () => "", recursion, addresses = () => [] }: RoutesOptions,
): readonly Route[] {
  const trouble = () => control.problem || problem();
  return [
    {
      ...{ method: "GET", path: "/v1/explain", id: "Explain", needs: "any" },
      summary: "What a question would be answered from the zones, and why.",
      query: {
        name: { isNeeded: true, description: "A name in full." },
        type: { isNeeded: true, description: "A type." },
        from: { description: "The address of who would ask." },
      },
      output: schema.EXPLANATION,
      handle: ({ query, caller }) => {
        const { name = "", type = "", from } = query;
        const { outside, ...explained }: Explanation = control.explain({ name, type });
        // Whoever may not read a zone may ask the name server, and not look into it.
        if (explained.zone !== undefined && !mayRead(caller, explained.zone)) throw forbidden();
        const said = from === undefined
          ? undefined
          : recursionOf({ outside, verdict: explained.verdict }, () => recursion?.(from));
        return { json: { ...explained, ...said !== undefined && { recursion: said } } };
      },
    },
    {
      ...{ method: "GET", path: "/v1/status", id: "GetStatus", needs: "any" },
      summary: "How the server is.",
      output: schema.STATUS,
      handle: () => ({
        json: { version, ...control.counts, problem: trouble(), addresses: addresses() },
      }),
    },
    {
      ...{ method: "GET", path: "/v1/health", id: "GetHealth", needs: "nothing" },
      summary: "Whether the server is healthy; 503 if it is not.",
      output: schema.HEALTH,
      handle: () =>
        trouble() === ""
          ? { json: { status: "ok" } }
          : { status: 503, json: { status: "unhealthy" } },
    },
    {
      ...{ method: "GET", path: "/v1/audit", id: "ListAudit", needs: "admin" },
      summary: "What was changed, the latest first.",
      query: {
        limit: { type: "integer", description: `At most so many, up to ${MAX_AUDIT}.` },
        before: { type: "integer", description: "Only those with a smaller id." },
      },
      output: schema.AUDIT,
      handle: ({ query }) => {
        const limit = integerOf(query, "limit", { fallback: AUDIT, max: MAX_AUDIT });
        const beforeId = query.before === undefined ? undefined : integerOf(query, "before");
        const entries = control.audit({ limit, beforeId })
          .map(({ time, ...entry }) => ({ ...entry, time: timeText(time) }));
        return { json: { entries } };
      },
    },
    {
      ...{ method: "POST", path: "/v1/write-back", id: "WriteBack", needs: "admin" },
      summary: "Writes a database whose file was removed or replaced back to its place.",
      output: schema.WRITTEN_BACK,
      handle: async ({ request }) => {
        const { aside } = await control.writeBack(request.signal);
        return { json: { ...aside !== undefined && { aside } } };
      },
    },
  ];
}
