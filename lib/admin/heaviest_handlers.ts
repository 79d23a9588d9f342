import type { MessageInitShape } from "@bufbuild/protobuf";
import { parseBlock } from "../addr/mod.ts";
import { invalid } from "../control/mod.ts";
import {
  type Hitter,
  HITTER_GROUPS,
  HITTER_WEIGHTS,
  HITTER_WINDOWS,
  type HitterGroup,
  type HitterWeight,
  TRACKED_PLACES,
} from "../hitters/mod.ts";
import type { Handlers } from "../rpc_server/mod.ts";
import type { AdminContext } from "./context.ts";
import type { HitterSchema, ProxyAdminService } from "./gen/mod.ts";
import { optionalMs } from "./messages.ts";

const DEFAULT_WINDOW_MS = 600_000;
const DEFAULT_LIMIT = 20;

/** Who makes the most of it. */
export function heaviestHandlers(
  context: AdminContext,
): Pick<Handlers<typeof ProxyAdminService>, "listHeaviest"> {
  const { totals } = context.control;
  return {
    async listHeaviest({ group, by, last, limit }) {
      const windowMs = optionalMs(last) ?? DEFAULT_WINDOW_MS;
      if (!HITTER_WINDOWS.includes(windowMs)) throw invalid("last", "not 1, 10 or 60 minutes");
      const question = { by: weightOf("by", by), windowMs, limit: checkLimit("limit", limit) };
      const asked = group === "" ? HITTER_GROUPS : [groupOf(group)];
      const groups = await Promise.all(asked.map(async (group) => {
        const { hitters, total } = await totals.heaviest({ group, ...question });
        const toMessage = (it: Hitter) => fromHitter(it, group, context);
        return { group, hitters: hitters.map(toMessage), total: BigInt(total) };
      }));
      return { groups };
    },
  };
}

/** One of the heaviest as a message. */
export function fromHitter(
  { key, connections, refused, bytes, uncertainty }: Hitter,
  group: HitterGroup,
  { control }: AdminContext,
): MessageInitShape<typeof HitterSchema> {
  return {
    key,
    connections: BigInt(connections),
    refused: BigInt(refused),
    bytes: BigInt(bytes),
    uncertainty: BigInt(uncertainty),
    country: group === "client" || group === "network" ? countryOf(key, control) : "",
  };
}

function countryOf(block: string, control: AdminContext["control"]): string {
  const parsed = parseBlock(block);
  return parsed.ok ? control.geoip.countryOf(parsed.value.address) ?? "" : "";
}

/**
 * What somebody is to be heavy by.
 *
 * @throws {RefusedError}
 */
export function weightOf(field: string, text: string): HitterWeight {
  if (text === "") return "connections";
  const found = HITTER_WEIGHTS.find((it) => it === text);
  if (found === undefined) throw invalid(field, `not one of ${HITTER_WEIGHTS.join(", ")}`);
  return found;
}

function groupOf(text: string): HitterGroup {
  const found = HITTER_GROUPS.find((it) => it === text);
  if (found === undefined) throw invalid("group", `not one of ${HITTER_GROUPS.join(", ")}`);
  return found;
}

function checkLimit(field: string, limit: number): number {
  if (limit > TRACKED_PLACES) throw invalid(field, `not in 0–${TRACKED_PLACES}`);
  return limit === 0 ? DEFAULT_LIMIT : limit;
}
