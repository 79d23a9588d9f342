import assert from "node:assert/strict";
import { parse } from "smol-toml";
import { locateKeys } from "../../../lib/schema/locate.ts";
import { pathsOf } from "../../support/toml_paths.ts";

/** Asserts that the walk finds exactly the paths that the parser has. */
function assertSamePaths(toml: string): void {
  assert.deepEqual([...locateKeys(toml).keys()].sort(), pathsOf(parse(toml)).sort(), toml);
}

const at = (toml: string, path: string) => {
  const found = locateKeys(toml).get(path);
  return found && `${found.line}:${found.column}`;
};

const CONFIG = `# comment with [brackets] and a = "b"
[database]
path = "/srv/db" # trailing

[[listeners]]
addr = ":443"

  [[listeners.routes]]
  hostname = "a.example"
  [[listeners.routes]]
  mode = "l7"
    [listeners.routes.tls]
    cert = 'C:\\x'

[[listeners]]
routes = [{ hostname = "b", "q.k" = 1 },
  # between
  { hostname = "c" }]
`;

Deno.test.each([
  ["database", "2:2"],
  ["database.path", "3:1"],
  ["listeners", "5:3"],
  ["listeners[0]", "5:3"],
  ["listeners[0].addr", "6:1"],
  ["listeners[0].routes", "8:15"],
  ["listeners[0].routes[0].hostname", "9:3"],
  ["listeners[0].routes[1]", "10:15"],
  ["listeners[0].routes[1].mode", "11:3"],
  ["listeners[0].routes[1].tls.cert", "13:5"],
  ["listeners[1]", "15:3"],
  ["listeners[1].routes", "16:1"],
  ["listeners[1].routes[0]", "16:11"],
  ["listeners[1].routes[0].hostname", "16:13"],
  ['listeners[1].routes[0]."q.k"', "16:29"],
  ["listeners[1].routes[1].hostname", "18:5"],
])("locateKeys() finds %s", (path, want) => {
  assert.equal(at(CONFIG, path), want);
});

Deno.test("locateKeys() finds exactly the parser's paths in a config", () => {
  assertSamePaths(CONFIG);
});

Deno.test.each([
  ["dotted keys", "a.b.c = 1\na.b.d = 2\n[x.y]\nz.w = 1"],
  ["spaced dotted keys", " a . \"b\" . 'c' = 1"],
  ["quoted keys", '"a.b" = 1\n\'c d\' = 2\n"" = 3\n"\\u00e4\\t\\"=" = 4\n"#" = 5\n"]" = 6'],
  ["keys that JavaScript objects own", "__proto__.x = 1\nconstructor = 2\n[toString]"],
  ["quoted headers", '["a.b"."]"]\nx = 1\n[[ "c" . \'d\' ]]\ny = 1\n[[c.d]]'],
  ["basic strings", 'a = "x # \\" = [ ]"\nb = ""\nc = "\\\\"\nd = 1'],
  ["literal strings", "a = 'x # = [ \\'\nb = ''\nd = 1"],
  ["multi-line strings", 'a = """\nx = 1\n[b]\n"" \\""" \n"""\nc = \'\'\'\ny = 2\'\'\'\nd = 1'],
  ["quotes before closing quotes", 'a = """x"""""\nb = """"y""""\nc = \'\'\'z\'\'\'\'\'\nd = ""\n'],
  ["empty multi-line strings", "a = \"\"\"\"\"\"\nb = ''''''\nc = 1"],
  ["multi-line arrays", "a = [ # one ]\n 1, # two,\n [2, 3], [], \n]\nb = 1"],
  ["arrays of inline tables", "a = [{b = [{c = 1}]}, {}]\nd = {e.f = {g = []}, h = 1}"],
  ["dates with a space", "a = [1979-05-27 07:32:00Z, 1979-05-27]\nb = 07:32:00\nc = 1"],
  ["numbers", "a = +1_000\nb = 0xff\nc = -inf\nd = 1e-3\ne = nan"],
  [
    "tables below arrays of tables",
    "[[a]]\n[a.b]\nx=1\n[[a.b.c]]\n[[a.b.c]]\n[[a]]\n[a.b]\n[a.b.d]",
  ],
  ["a table opened after its child", "[a.b]\nx = 1\n[a]\ny = 1"],
  ["CRLF line ends", 'a = 1\r\n[b]\r\nc = """\r\nd"""\r\ne = [\r\n1]\r\n'],
  ["a byte order mark", "\uFEFFa = 1"],
  ["nothing", ""],
  ["only a comment", "# a = 1"],
  ["no line end", "[a]\nb = 1 # c = 2"],
])("locateKeys() finds exactly the parser's paths with %s", (_what, toml) => {
  assertSamePaths(toml);
});

Deno.test("locateKeys() counts lines and columns over CRLF and multi-line strings", () => {
  const toml = 'a = """\r\n\r\n"""\r\n  b = [\r\n   7]';
  assert.equal(at(toml, "b"), "4:3");
  assert.equal(at(toml, "b[0]"), "5:4");
});

Deno.test("locateKeys() takes time in proportion to the document", () => {
  const element = '[[listeners]]\naddr = ":1"\nroutes = [{hostname = "a"}]\n';
  const positions = locateKeys(element.repeat(20_000));
  assert.equal(positions.get("listeners[19999].addr")?.line, 59_999);
});

Deno.test("locateKeys() ends on every prefix of a document", () => {
  for (let end = 0; end <= CONFIG.length; end++) locateKeys(CONFIG.slice(0, end));
});
