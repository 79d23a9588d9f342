import { timestampMs } from "@bufbuild/protobuf/wkt";
import { mcns } from "../admin/gen/mod.ts";
import { formatTime } from "../terminal/mod.ts";
import type { Session } from "./session.ts";

/** `changes list`: changes that wait for a decision of another program. */
export async function listChanges(session: Session): Promise<void> {
  const found = await session.client.listPreparedChanges({});
  session.answer(
    mcns.ListPreparedChangesResponseSchema,
    found,
    ({ changes }) =>
      session.table(changes, [
        { title: "ID", value: ({ id }) => id },
        {
          title: "SINCE",
          value: ({ preparedAt: at }) => at === undefined ? "" : formatTime(timestampMs(at)),
        },
        { title: "WHO", value: ({ actor }) => actor },
        { title: "DECIDES", value: ({ coordinator }) => coordinator },
        { title: "ZONES", value: ({ zones }) => zones.join(" ") },
      ], "no change waits for a decision"),
  );
}

/** `changes abort`: gives one up, whoever decides about it. */
export async function abortChange(session: Session, id: string): Promise<void> {
  const found = await session.client.abortChange({ id });
  session.answer(mcns.AbortChangeResponseSchema, found, () => [`the change ${id} is given up`]);
}
