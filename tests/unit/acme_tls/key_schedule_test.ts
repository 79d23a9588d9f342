import assert from "node:assert/strict";
import {
  expandLabel,
  finishedData,
  handshakeSecrets,
  serverTrafficSecret,
  trafficKeys,
} from "../../../lib/acme_tls/key_schedule.ts";

const hex = (octets: Uint8Array) => octets.toHex();

/** RFC 8448 §3, "Simple 1-RTT Handshake". */
const SHARED = Uint8Array.fromHex(
  "8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d",
);
const HELLOS = Uint8Array.fromHex(
  "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8",
);

Deno.test("the key schedule is that of RFC 8448 §3", async () => {
  const secrets = await handshakeSecrets(SHARED, HELLOS);
  assert.equal(
    hex(secrets.handshake),
    "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac",
  );
  assert.equal(
    hex(secrets.client),
    "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
  );
  assert.equal(
    hex(secrets.server),
    "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
  );
  const { key, iv } = await trafficKeys(secrets.server);
  assert.equal(hex(key), "3fce516009c21727d0f2e4e86ee403bc");
  assert.equal(hex(iv), "5d313eb2671276ee13000b30");
  const finishedKey = await expandLabel(secrets.server, { label: "finished", length: 32 });
  assert.equal(
    hex(finishedKey),
    "008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8",
  );
  assert.equal((await finishedData(secrets.server, HELLOS)).length, 32);
  const flight = Uint8Array.fromHex(
    "9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13",
  );
  assert.equal(
    hex(await serverTrafficSecret(secrets.handshake, flight)),
    "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
  );
});
