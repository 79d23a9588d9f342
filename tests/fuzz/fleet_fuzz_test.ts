import { testTarget } from "../support/fuzz_target.ts";
import { FLEET_BULLETIN, FLEET_LOG } from "./targets/fleet.ts";

for (const target of [FLEET_LOG, FLEET_BULLETIN]) testTarget(target);
