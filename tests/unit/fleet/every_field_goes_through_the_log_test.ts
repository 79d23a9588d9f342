import assert from "node:assert/strict";
import { objectsOf, put, stateOf } from "../../../lib/fleet/mod.ts";
import { editsFromJson, editsToJson } from "../../../lib/fleet/log.ts";
import { ListenerNames } from "../../../lib/fleet/names.ts";
import { sampleState } from "../../support/sample_state.ts";

Deno.test("every field of the state goes into the log of a group and comes out of it", () => {
  const state = sampleState({ cert: "/a.pem", key: "/a.key", ports: [8443, 8080] });
  const [{ addr } = { addr: "" }] = state.listeners;
  const names = new ListenerNames([{ name: "public", addr }]);
  const written = JSON.stringify(editsToJson(objectsOf(state).map(put), names));
  assert.ok(!written.includes(addr), "the group knows the listener by its name");
  const read = editsFromJson(JSON.parse(written), names);
  const objects = read.flatMap((edit) => edit.do === "put" ? [edit.object] : []);
  assert.equal(objects.length, read.length);
  assert.deepEqual(stateOf(objects), state);
});
