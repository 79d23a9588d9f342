import { testTarget } from "../support/fuzz_target.ts";
import { ADDRESSES } from "./targets/texts.ts";

testTarget(ADDRESSES);
