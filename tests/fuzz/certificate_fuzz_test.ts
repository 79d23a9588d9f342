import { testTarget } from "../support/fuzz_target.ts";
import { CERTIFICATE, DER, REVOCATION_LIST } from "./targets/x509.ts";

for (const target of [DER, CERTIFICATE, REVOCATION_LIST]) testTarget(target);
