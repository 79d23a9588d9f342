import { testTarget } from "../support/fuzz_target.ts";
import { DIRECTORY } from "./targets/texts.ts";

testTarget(DIRECTORY);
