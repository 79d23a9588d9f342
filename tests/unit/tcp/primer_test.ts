import assert from "node:assert/strict";
import { EOF, loadBinding } from "../../../lib/tcp/_binding.ts";
import { type Loop, openLoop } from "../../../lib/tcp/_loop.ts";
import { Primer } from "../../../lib/tcp/_primer.ts";
import { withinDeadline } from "../../support/deadline.ts";

const binding = loadBinding();

/** What the other end of a connection hears first: octets, `EOF`, or a negative errno. */
function heard({ sender }: Loop): Promise<number> {
  const { state, READ } = binding;
  return withinDeadline(
    new Promise<number>((resolve) => {
      sender.onread = () => {
        resolve(Number(state[READ]));
        sender.readStop();
      };
      sender.useUserBuffer(new Uint8Array(16));
      sender.readStart();
    }),
    "the other end hears of it",
  );
}

/** A connection whose one end has been given another one to read an octet from. */
async function lent(onLost: (status: number) => void = () => assert.fail("it was lost")) {
  const primer = new Primer(binding);
  await primer.ready();
  const connection = await openLoop(binding);
  const own = Object.hasOwn(connection.handle, "close");
  primer.prime(connection.handle, { reading: false, onLost });
  assert.deepEqual([own, Object.hasOwn(connection.handle, "close")], [false, true], "it is lent");
  return connection;
}

Deno.test("a handle that is closed on its way to an octet closes its own connection", async () => {
  const connection = await lent();
  const told = heard(connection);
  connection.handle.close();
  assert.equal(await told, EOF);
  connection.sender.close();
});

Deno.test("a handle that is reset on its way to an octet resets its own connection", async () => {
  const connection = await lent();
  const told = heard(connection);
  assert.equal(connection.handle.reset(), 0);
  assert.notEqual(await told, EOF);
  assert.ok(await told < 0, `${await told}`);
  connection.handle.close();
  connection.sender.close();
});

Deno.test("a handle that does not get its connection back says so, and the connection is reset", async () => {
  const lost = Promise.withResolvers<number>();
  const connection = await lent(lost.resolve);
  const told = heard(connection);
  connection.handle.open = () => -9;
  assert.equal(await withinDeadline(lost.promise, "its owner hears of it"), -9);
  assert.notEqual(await told, EOF);
  assert.ok(await told < 0, `${await told}`);
  connection.handle.close();
  connection.sender.close();
});
