import { testTarget } from "../support/fuzz_target.ts";
import { EDNS, ZONE, ZONE_ANSWERS, ZONE_FILE } from "./targets/zones.ts";

for (const target of [ZONE_FILE, EDNS, ZONE_ANSWERS, ZONE]) testTarget(target);
