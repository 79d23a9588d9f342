import { testTarget } from "../support/fuzz_target.ts";
import { WORKER_MESSAGES } from "./targets/worker_messages.ts";

testTarget(WORKER_MESSAGES);
