import { testTarget } from "../support/fuzz_target.ts";
import { GRPC_FRAMES } from "./targets/rpc.ts";

testTarget(GRPC_FRAMES);
