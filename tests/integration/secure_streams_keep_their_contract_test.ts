import { SOCKETS_KINDS } from "../../lib/tcp/mod.ts";
import { testSecureStreams } from "../contract/secure_streams.ts";

for (const kind of SOCKETS_KINDS) testSecureStreams(kind);
