import { testTransport } from "../contract/transport.ts";

testTransport({
  name: "own HTTP/2",
  kind: "h2c",
  expects: "h2",
  h2Transport: "own",
});

testTransport({
  name: "node:http2",
  kind: "h2c",
  expects: "h2",
  h2Transport: "node",
});

testTransport({
  name: "own HTTP/1.1",
  kind: "http1",
  expects: "http/1.1",
  h2Transport: "own",
});
