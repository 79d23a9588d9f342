/**
 * Dynamic changes of zones (UPDATE, RFC 2136): what a message asks for, who may ask for it, and what
 * it comes to in a zone. Pure: a zone and octets in, records that go and come out.
 *
 * @module
 */
export { allows, type UpdateGrant } from "./grant.ts";
export { type Change, isUpdate, readUpdate, type Update, UPDATE_CODE } from "./message.ts";
export { checkPrerequisites } from "./prerequisites.ts";
export { planUpdate, type UpdatePlan } from "./plan.ts";
export { type PlannedUpdate, Updates, type UpdatesOptions } from "./updates.ts";
