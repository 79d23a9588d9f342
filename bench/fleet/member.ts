/**
 * One proxy of the group that `bench/fleet/main.ts` makes, in a process of its own: makes changes when
 * it is told to, and notes when each was acknowledged and when which revision was in effect here.
 *
 * @module
 */
// deno-lint-ignore-file no-console -- this is how it answers
import { eventually } from "../../tests/support/deadline.ts";
import { type FleetMember, plainRoute, startMember } from "../../tests/support/fleet.ts";
import type { TestPostgres } from "../../tests/support/postgres.ts";

/** What `main.ts` says on the command line. */
export interface MemberTask {
  readonly role: string;
  readonly folder: string;
  readonly port: number;
  readonly changes: number;
  readonly address: TestPostgres["address"];
}

/** What a member has seen. Times are milliseconds since 1970, with fractions. */
export interface MemberNotes {
  readonly acknowledged: readonly { revision: number; askedAt: number; at: number }[];
  readonly inEffect: readonly { revision: number; at: number }[];
  readonly content: string;
}

const CATCH_UP_MS = 60_000;

if (import.meta.main) {
  await run(JSON.parse(Deno.args[0] ?? "{}"));
  Deno.exit(0); // Standard input is open still.
}

async function run({ role, folder, port, changes, address }: MemberTask): Promise<void> {
  const server = { address } as TestPostgres;
  await using member = await startMember(server, { role, folder, port });
  const inEffect: { revision: number; at: number }[] = [];
  member.control.state.watch((_, revision) => inEffect.push({ revision, at: now() }));
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
  console.log("ready");
  await lines.read();
  const acknowledged = await change(member, changes);
  console.log("done");
  // The last revision of the group.
  const last = Number((await lines.read()).value);
  await eventually(() => member.revision >= last, `revision ${last}`, CATCH_UP_MS);
  const content = await digestOf(member.content());
  const notes: MemberNotes = { acknowledged, inEffect, content };
  await Deno.writeTextFile(`${folder}/notes.json`, JSON.stringify(notes));
  console.log("noted");
  await lines.read();
}

/** Adds a route, changes it, removes it, and sets the rate limit, one after the other. */
async function change(member: FleetMember, changes: number) {
  const { control: { routing, firewall }, addr, name } = member;
  const acknowledged: { revision: number; askedAt: number; at: number }[] = [];
  for (let i = 0; i < changes; i++) {
    const askedAt = now();
    const hostname = `r${i >> 2}.${name}.example`;
    const route = { ...plainRoute(hostname), backend: `127.0.0.1:${1 + i % 60_000}` };
    let revision = 0;
    const by = { actor: "bench", action: "Bench", onRevision: (it: number) => revision = it };
    const kind = i % 4;
    if (kind === 0) await routing.addRoute(addr, route, by);
    else if (kind === 1) {
      await routing.updateRoute({ addr, hostname, change: () => route, close: false }, by);
    } else if (kind === 2) {
      await firewall.addRule({
        rule: { type: "ip", value: `10.${name.slice(1)}.${i >> 8}.${i & 255}`, reason: "" },
        close: false,
      }, by);
    } else await routing.removeRoute({ addr, hostname, close: false }, by);
    acknowledged.push({ revision, askedAt, at: now() });
  }
  return acknowledged;
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}
