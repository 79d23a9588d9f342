import assert from "node:assert/strict";
import { formatSocketAddress, socketAddress } from "../../../lib/server/connection_state.ts";

const textOf = (address: string) => {
  const found = socketAddress({ address, port: 443 });
  return found && formatSocketAddress(found);
};

Deno.test("socketAddress() takes addresses as the runtime writes them, without what names our interfaces", () => {
  assert.equal(textOf("192.0.2.1"), "192.0.2.1:443");
  assert.equal(textOf("::ffff:192.0.2.1"), "192.0.2.1:443");
  assert.equal(textOf("2001:db8::1"), "[2001:db8::1]:443");
  assert.equal(textOf("fe80::1%eth0"), "[fe80::1]:443");
  assert.equal(textOf("fe80::1%a%b"), "[fe80::1]:443");
});

Deno.test("socketAddress() knows nobody of a connection that is gone, or without an address", () => {
  assert.equal(socketAddress(undefined), undefined);
  assert.equal(textOf(""), undefined);
  assert.equal(textOf("%eth0"), undefined);
});
