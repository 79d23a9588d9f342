import { testTarget } from "../support/fuzz_target.ts";
import { ACME_TLS_FLIGHT, ACME_TLS_HELLO, ACME_TLS_RECORDS } from "./targets/acme_tls.ts";

for (const target of [ACME_TLS_HELLO, ACME_TLS_RECORDS, ACME_TLS_FLIGHT]) testTarget(target);
