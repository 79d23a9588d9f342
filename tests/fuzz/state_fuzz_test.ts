import { testTarget } from "../support/fuzz_target.ts";
import { CONFIGURATION, STATE_FILE } from "./targets/texts.ts";

for (const target of [CONFIGURATION, STATE_FILE]) testTarget(target);
