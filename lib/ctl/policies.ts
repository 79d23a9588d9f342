import {
  AddL7PolicyResponseSchema,
  ListL7PoliciesResponseSchema,
  RemoveL7PolicyResponseSchema,
} from "../admin/gen/mod.ts";
import type { L7Policy } from "../client/mod.ts";
import { POLICY } from "../state/mod.ts";
import { columnsOf } from "../terminal/mod.ts";
import type { Session } from "./session.ts";

export async function listPolicies(
  session: Session,
  { listener: listenerAddr, hostname }: { listener: string; hostname: string },
): Promise<void> {
  const found = await session.client.listL7Policies({ listenerAddr, hostname });
  session.answer(
    ListL7PoliciesResponseSchema,
    found,
    ({ policies }) => session.table(policies, columnsOf<L7Policy>(POLICY.shape, []), "no policies"),
  );
}

/** Which policy of which route. */
export interface PolicyTarget {
  readonly listener: string;
  readonly hostname: string;
  readonly type: string;
  readonly value: string;
}

export async function addPolicy(session: Session, target: PolicyTarget): Promise<void> {
  const { listener: listenerAddr, hostname, ...policy } = target;
  const done = await session.client.addL7Policy({ listenerAddr, hostname, policy });
  session.answer(AddL7PolicyResponseSchema, done, ({ policy: added }) => [
    `added policy ${added?.type} ${added?.value} to ${listenerAddr} ${hostname}`,
  ]);
}

export async function removePolicy(session: Session, target: PolicyTarget): Promise<void> {
  const { listener: listenerAddr, hostname, ...policy } = target;
  const done = await session.client.removeL7Policy({ listenerAddr, hostname, policy });
  session.answer(RemoveL7PolicyResponseSchema, done, () => [
    `removed policy ${policy.type} ${policy.value} from ${listenerAddr} ${hostname}`,
  ]);
}
