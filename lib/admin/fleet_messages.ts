import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { FleetStatus, SeenMember } from "../control/mod.ts";
import type { FleetMemberSchema, FleetMemberStatusSchema } from "./gen/mod.ts";

/** A proxy of a group, as it has said of itself. */
export function fromMember(member: SeenMember): MessageInitShape<typeof FleetMemberSchema> {
  const { drain, status } = member;
  return {
    name: member.proxy,
    version: member.version,
    revision: BigInt(member.revision),
    lag: BigInt(member.lag),
    health: member.health,
    startedAt: timestampFromMs(Math.round(member.startedAt)),
    silentFor: durationFromMs(Math.max(0, Math.round(member.silentMs))),
    ...drain && {
      drainSince: timestampFromMs(drain.since),
      drainBy: `${drain.actor} at ${drain.proxy}`,
    },
    ...status && { status: fromFleetStatus(status) },
  };
}

function fromFleetStatus(status: FleetStatus): MessageInitShape<typeof FleetMemberStatusSchema> {
  const { open, accepted, blocked, rateLimited, bytesIn, bytesOut, isDrained, sick } = status;
  const { listeners, routes, rules, bans, backends } = status;
  return {
    ...{ open: BigInt(open), accepted: BigInt(accepted), blocked: BigInt(blocked) },
    ...{ rateLimited: BigInt(rateLimited), bytesIn: BigInt(bytesIn), bytesOut: BigInt(bytesOut) },
    ...{ listeners, routes, rules, bans, backends, drained: isDrained },
    sick: sick.map(([route, backend, condition, reason]) => {
      return { route, backend, condition, reason };
    }),
  };
}
