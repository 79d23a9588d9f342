import {
  FLEET_WAITS,
  type FleetView,
  type FleetWait,
  invalid,
  RefusedError,
} from "../control/mod.ts";
import type { CallContext, Handlers } from "../rpc_server/mod.ts";
import { type AdminContext, operation } from "./context.ts";
import { fromMember } from "./fleet_messages.ts";
import type { ProxyAdminService } from "./gen/mod.ts";
import { optionalMs } from "./messages.ts";

const DEFAULT_DEADLINE_MS = 10_000;
/** Below what any call may take. */
const MAX_DEADLINE_MS = 50_000;

type FleetMethods =
  | "listFleet"
  | "waitForFleet"
  | "forgetFleetMember"
  | "drainFleetMember"
  | "undrainFleetMember";

/** The proxies of a group. */
export function fleetHandlers(
  context: AdminContext,
): Pick<Handlers<typeof ProxyAdminService>, FleetMethods> {
  const { control } = context;
  const setDrained = async (name: string, isDrained: boolean, call: CallContext) => {
    if (name === "") throw invalid("name", "is missing");
    const { actor } = operation(
      isDrained ? "DrainFleetMember" : "UndrainFleetMember",
      context,
      call,
    );
    const wish = { isDrained, actor, now: Date.now() };
    return { revision: BigInt(await fleetOf(control).setDrained(name, wish)) };
  };
  return {
    async listFleet() {
      const { group, revision, members } = await fleetOf(control).list();
      return {
        group,
        revision: BigInt(revision),
        members: members.map(fromMember),
      };
    },
    async waitForFleet({ revision, wait, deadline }, { signal }) {
      const fleet = fleetOf(control);
      const deadlineMs = optionalMs(deadline) ?? DEFAULT_DEADLINE_MS;
      if (deadlineMs < 0 || deadlineMs > MAX_DEADLINE_MS) {
        throw invalid("deadline", "not in 0–50 s");
      }
      if (!isWait(wait)) throw invalid("wait", `not one of ${FLEET_WAITS.join(", ")}`);
      const wanted = revision === 0n ? control.state.revision : Number(revision);
      const found = await fleet.wait({ revision: wanted, wait, deadlineMs }, signal);
      return {
        reached: found.reached,
        revision: BigInt(found.revision),
        inEffect: [...found.inEffect],
        missing: [...found.missing],
      };
    },
    async forgetFleetMember({ name }) {
      if (name === "") throw invalid("name", "is missing");
      await fleetOf(control).forget(name);
      return {};
    },
    drainFleetMember: ({ name }, call) => setDrained(name, true, call),
    undrainFleetMember: ({ name }, call) => setDrained(name, false, call),
  };
}

function fleetOf({ fleet }: AdminContext["control"]): FleetView {
  if (fleet !== undefined) return fleet;
  throw new RefusedError(
    "failed_precondition",
    'this proxy belongs to no group: that takes state.source = "postgres"',
  );
}

function isWait(text: string): text is FleetWait {
  return FLEET_WAITS.some((it) => it === text);
}
