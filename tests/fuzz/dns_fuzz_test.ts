import { testTarget } from "../support/fuzz_target.ts";
import { DNS_MESSAGE, RESOLVER_FILES } from "./targets/dns.ts";

for (const target of [DNS_MESSAGE, RESOLVER_FILES]) testTarget(target);
