import assert from "node:assert/strict";
import { listenToChannel } from "../../lib/postgres/mod.ts";
import { withinDeadline } from "../support/deadline.ts";
import { postgresTest, startConnectorDatabase } from "../support/connector_database.ts";

postgresTest(
  "listenToChannel() ends when it is told to while its channel is asked for, and reads no other",
  async () => {
    await using database = await startConnectorDatabase();
    const asked = Promise.withResolvers<void>();
    const channel = Promise.withResolvers<string>();
    const said: unknown[] = [];
    const listening = listenToChannel({
      server: database.server,
      applicationName: "test",
      channel: () => {
        asked.resolve();
        return channel.promise;
      },
      maxPauseMs: 10,
      onNotify: () => said.push("notified"),
      onState: (...told) => said.push(told),
    });
    await asked.promise;
    const ended = Promise.resolve(listening[Symbol.asyncDispose]());
    channel.resolve("mc_proxy_test");
    await withinDeadline(ended, "it ends", 4_000);
    assert.deepEqual(said, []);

    const refused = Promise.withResolvers<unknown>();
    await using _ = listenToChannel({
      server: database.server,
      applicationName: "test",
      channel: () => "a; DROP TABLE users",
      maxPauseMs: 10,
      onNotify: () => assert.fail("nothing is listened to"),
      onState: (_, error) => refused.resolve(error),
    });
    assert.match(String(await refused.promise), /no usable channel/);
  },
);
