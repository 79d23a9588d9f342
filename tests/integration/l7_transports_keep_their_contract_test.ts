import { testTransport } from "../contract/transport.ts";

testTransport({
  name: "own HTTP/2",
  kind: "h2c",
  options: { protocol: "h2", h2Transport: "own" },
});

testTransport({
  name: "node:http2",
  kind: "h2c",
  options: { protocol: "h2", h2Transport: "node" },
});

testTransport({
  name: "node:http",
  kind: "http1",
  options: { protocol: "http1", h2Transport: "own" },
});
