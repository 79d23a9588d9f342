import assert from "node:assert/strict";
import {
  Differential,
  type Input,
  latin1,
  type Outcome,
  type Passed,
} from "../support/differential.ts";
import { testWithCommands } from "../support/commands.ts";
import { createRandom } from "../support/fuzz.ts";
import { oddHttp1, oddHttp2 } from "../support/odd_requests.ts";

/**
 * How many odd requests of each version; `DIFFERENTIAL_CASES=100000` for hours, and another
 * `FUZZ_SEED` for other requests. In CI they are the same each time: what differs is explained below.
 */
const CASES = Number(Deno.env.get("DIFFERENTIAL_CASES") ?? 60);
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? 1);

/** What we refuse though both others pass it on, by what the client sent, and why. */
const STRICTER: readonly (readonly [why: string, sent: RegExp])[] = [
  [
    "RFC 9112 §2.2: a bare line feed or carriage return, which two hops read differently",
    /(?<!\r)\n|\r(?!\n)/,
  ],
  // deno-lint-ignore no-control-regex
  ["RFC 9110 §5.5: a control in a value", /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/],
  ["a name with `_`, which CGI and its like read as another", /^[^:\r\n]*_[^\r\n]*:/m],
  ["RFC 9112 §3: one space between the parts of the first line", /^[^\r\n]*(?:[ \t]{2}|\t| \r)/],
  ["a Host that is none, or not this route's (421)", /^host:[ \t]*(?!a\.test(?::\d+)?[ \t]*\r)/im],
  ["RFC 9113 §11.6: PRI is no method", /^PRI /],
  ["a target of another host, or with a user", /^\S+ \w+:\/\/(?!a\.test)/i],
  ["CVE-2023-45539: a target with a fragment", /^\S+ [^ ]*#/],
  [
    "RFC 9112 §6.3: a length twice, even the same",
    /content-length:[^\r\n]*(?:,|[^]*content-length:)/i,
  ],
  ["RFC 9112 §5.1, §5.2: a space before a colon, or a folded line", /^[^\r\n:]*[ \t]+:|^[ \t]/m],
  ["only WebSocket may switch protocols, and with its key", /^upgrade:/im],
  [
    "RFC 9112 §7.1: a chunk's size is digits, and CR LF ends its line and its content",
    /chunked[^]*\r\n\r\n(?:\r\n|[^]*(?:[0-9a-f][ \t]+\r\n|0x|\+\d|hello(?!\r\n)|f{9}))/i,
  ],
];

/** The same over HTTP/2, by the names and values that the client sent. */
const STRICTER_H2: readonly (readonly [why: string, sent: RegExp])[] = [
  ["over TLS no other scheme than https", /^:scheme: (?!https$)/m],
  ["RFC 9113 §11.6: PRI is no method", /^:method: PRI$/m],
  ["an authority that is none, or not this route's (421)", /^:authority: (?!a\.test(?::\d+)?$)/im],
  ["a Host beside :authority that is not the same", /^host: (?!a\.test$)/m],
  // deno-lint-ignore no-control-regex
  ["RFC 9110 §5.5: a control in a value", /[\0-\x08\x0b-\x1f\x7f]/],
  ["a name with `_`, which CGI and its like read as another", /^[^:\n]*_/m],
  ["RFC 9113 §8.2.1: space around a value", /: [ \t]|[ \t]$/m],
  [
    "RFC 9113 §8.2.2: fields of one connection",
    /^(?:connection|keep-alive|proxy-connection|upgrade|transfer-encoding): |^te: (?!trailers$)/m,
  ],
  [
    "RFC 9113 §8.1.1: a length that is not the content's",
    /^content-length: (?!(\d+)$[^]*^= \1 octets$)/m,
  ],
  [
    "CVE-2023-45539: a path with a fragment, or with more than RFC 3986 has",
    /^:path: (?!\/[\w.~!$&'()*+,;=:@%/?-]*$)/m,
  ],
];

/** What we pass on alone, since each of the others takes the half that the other refuses, and why. */
const LAXER: readonly (readonly [why: string, sent: RegExp])[] = [
  [
    "RFC 9110 §9.1, RFC 9112 §3.2.2: any token is a method (nginx wants capitals), and a URL may go on " +
    "with its query behind the host (HAProxy wants a path)",
    /^(?=[A-Z]*[a-z])[A-Za-z]+ https?:\/\/a\.test(?::\d+)?\?\S* HTTP\/1\.[01]\r\n/,
  ],
];

/**
 * Without what each may say otherwise: a field that `Connection` names is this hop's (RFC 9110 §7.6.1),
 * and neither of the others drops it; the host of an absolute target wins (RFC 9112 §3.2.2), and nginx
 * is told to send the other one.
 */
function comparable({ fields, host, ...rest }: Passed, sent: string): Passed {
  const isAbsolute = /^\S+ https?:\/\//i.test(sent);
  const named = [...sent.matchAll(/^connection:([^\r\n]*)/gim)]
    .flatMap(([, value = ""]) => value.toLowerCase().split(",").map((name) => name.trim()));
  const kept = fields.filter((field) => !named.includes(field.split(":")[0] ?? ""));
  return { ...rest, host: isAbsolute ? "" : host, fields: kept };
}

const text = (value: unknown) => JSON.stringify(value);

/** What is wrong with what we did, seen beside what both others did. */
function problemsOf(input: Input, sent: string, { ours, nginx, haproxy }: Outcome): string[] {
  const theirs = [nginx, haproxy].map((all) => all.map((one) => text(comparable(one, sent))));
  const isOurs = input.protocol === "http/1.1" && LAXER.some(([, pattern]) => pattern.test(sent));
  const problems = (isOurs ? [] : ours)
    .filter((one) => !theirs.some((all) => all.includes(text(comparable(one, sent)))))
    .map((one) => `passed on by nobody else: ${text(one)}`);
  const missing = nginx.filter((one) =>
    haproxy.some((other) => text(one) === text(other)) &&
    !ours.some((own) => own.method === one.method && own.target === one.target)
  );
  const explained = (input.protocol === "h2" ? STRICTER_H2 : STRICTER)
    .some(([, pattern]) => pattern.test(sent));
  if (!explained) problems.push(...missing.map((one) => `refused here alone: ${text(one)}`));
  return problems;
}

for (const [version, odd] of [["HTTP/1.1", oddHttp1], ["HTTP/2", oddHttp2]] as const) {
  testWithCommands(
    ["nginx", "haproxy"],
    `odd requests over ${version} reach the backend as through nginx or HAProxy, or not at all`,
    async () => {
      await using proxies = await Differential.start();
      const random = createRandom(SEED);
      const counted = { passed: 0, refused: 0 };
      for (let number = 0; number < CASES; number++) {
        const input = odd(random);
        const sent = input.sent ?? latin1(input.bytes);
        let outcome = await proxies.outcomeOf(input);
        let problems = problemsOf(input, sent, outcome);
        // On a busy machine one of them may be late: only what lasts counts.
        for (let again = 0; problems.length > 0 && again < 2; again++) {
          outcome = await proxies.outcomeOf(input, { patient: true });
          problems = problemsOf(input, sent, outcome);
        }
        assert.deepEqual(problems, [], `request ${number} of seed ${SEED}: ${text(sent)}`);
        counted[outcome.ours.length > 0 ? "passed" : "refused"]++;
      }
      // Neither everything nor nothing: or it would compare nothing.
      assert.ok(counted.passed > CASES / 20 && counted.refused > CASES / 20, text(counted));
    },
  );
}
