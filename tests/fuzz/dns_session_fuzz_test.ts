import { testTarget } from "../support/fuzz_target.ts";
import { DNS_SESSION } from "./targets/dns_session.ts";
import { DNS_WORKER_MESSAGES } from "./targets/worker_messages.ts";

testTarget(DNS_SESSION);
testTarget(DNS_WORKER_MESSAGES);
