import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refusalOf } from "../../host-sim/cli/azsphere/device-errors.ts";
import { meaningOf } from "../../host-sim/cli/azsphere/device-meanings.ts";
import { allEntries } from "../../host-sim/cli/azsphere/entries/index.ts";
import { entriesOf, findEntry, suggestion } from "../../host-sim/cli/azsphere/grammar.ts";
import { optionsOf, parseOptions } from "../../host-sim/cli/azsphere/options.ts";
import { boxed } from "../../host-sim/cli/azsphere/output.ts";
import type { Grammar } from "../../host-sim/cli/azsphere/table.ts";
import { splitWords } from "../../host-sim/cli/azsphere/words.ts";
import { ERRORS } from "../../host-sim/device/system/device-error.ts";
import { LabError } from "../../host-sim/errors.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { createTool, temporaryFolder } from "./support.ts";

const test = suite("azsphere: words, options, help");
const { folder, remove } = temporaryFolder();
const tool = createTool({ env: { SPHERULE_SETTINGS: join(folder, "settings.json") } });
const GRAMMARS: readonly Grammar[] = ["azsphere", "az"];
const own = (grammar: Grammar) => entriesOf(allEntries, grammar);
test.after(remove);

test("every command has its words once, and no group has the words of a command", () => {
  for (const grammar of GRAMMARS) {
    const all = own(grammar).flatMap(({ words, aliases = [] }) => [words, ...aliases]);
    assert.is(new Set(all).size, all.length);
    for (const words of all)
      assert.not.ok(
        all.some((other) => other.startsWith(`${words} `)),
        words,
      );
  }
});

test("no command has an option or a letter twice", () => {
  for (const grammar of GRAMMARS) {
    for (const entry of own(grammar)) {
      const specs = optionsOf(entry, grammar);
      const names = specs.flatMap(({ long, short, aliases }) => [long, short, ...aliases]);
      const given = names.filter((name) => name !== undefined);
      assert.equal(given, [...new Set(given)], `${grammar} ${entry.words}`);
    }
  }
});

test("each help page has examples that are understood, and says what this is", async () => {
  for (const grammar of GRAMMARS) {
    const run = grammar === "az" ? tool.sphere : tool.azsphere;
    for (const entry of own(grammar)) {
      const { out, code } = await run(...entry.words.split(" "), "--help");
      assert.is(code, 0);
      assert.match(out, "an emulator of Azure Sphere and no Microsoft product");
      assert.ok(entry.examples.length > 0);
    }
  }
});

test("examples can be typed in the grammar whose page shows them", async () => {
  for (const grammar of GRAMMARS) {
    const run = grammar === "az" ? tool.sphere : tool.azsphere;
    for (const entry of own(grammar)) {
      const page = (await run(...entry.words.split(" "), "-h")).out;
      const [, examples = ""] = page.split("\nExamples:\n");
      const lines = examples.split("\n").filter((line) => line.startsWith("  az"));
      assert.ok(lines.length > 0, entry.words);
      for (const line of lines) {
        const words = splitWords(line).slice(grammar === "az" ? 2 : 1);
        const found = findEntry(own(grammar), "x", words);
        assert.is(found.entry?.words, entry.words, line);
        parseOptions(optionsOf(entry, grammar), found.rest);
      }
    }
  }
});

test("groups list what is in them, and the whole tool its groups", async () => {
  for (const run of [tool.azsphere, tool.sphere]) {
    const { out } = await run();
    assert.match(out, /\n {2}device +devices that are attached/);
    assert.match(out, /\n {2}image-package +image packages/);
  }
  const wifi = await tool.azsphere("device", "wifi");
  assert.equal([wifi.code, /\n {2}show-status +print/.test(wifi.out)], [0, true]);
  assert.is((await tool.azsphere("device", "wifi", "-h")).out, wifi.out);
  assert.is((await tool.azsphere("device", "wifi", "--ssid", "x")).code, 2);
});

test("nouns that spherule itself has say what this is, too", async () => {
  const pages = [
    ...[
      ["image-package"],
      ["img", "show", "--help"],
      ["image-package", "pack-application", "--help"],
    ],
    ...[
      ["hardware-definition", "--help"],
      ["hwd", "test-header", "--help"],
    ],
  ];
  for (const words of pages) {
    const { code, out } = await tool.azsphere(...words);
    assert.is(code, 0, words.join(" "));
    assert.match(out, "an emulator of Azure Sphere and no Microsoft product");
  }
  assert.is((await tool.azsphere("image-package", "shw")).code, 2);
  assert.is((await tool.azsphere("hwd", "test-header")).code, 2);
  const missing = await tool.sphere("image-package", "show", join(folder, "none"));
  assert.equal([missing.code, missing.error.startsWith("ERROR: ")], [1, true]);
});

test("what an article misprints gets the right command suggested", async () => {
  const { code, error } = await tool.azsphere("device", "wifi", "wifi", "show-status");
  assert.is(code, 2);
  assert.is(
    error,
    "ERROR: 'device wifi wifi show-status' is not in the 'azsphere' command group.\n" +
      "Did you mean 'azsphere device wifi show-status'?\n",
  );
  const near = (typed: string) => suggestion(own("azsphere"), typed);
  assert.is(near("device wifi show-statsu"), "device wifi show-status");
  assert.is(near("devcie claim"), "device claim");
  assert.is(near("tenant make a sandwich for everybody"), undefined);
});

test("older words and group aliases lead to the same commands", () => {
  const entries = own("azsphere");
  const words = (...args: string[]) => findEntry(entries, "azsphere", args).entry?.words;
  assert.is(words("dev", "sl", "deploy", "-p", "x"), "device sideload deploy");
  assert.is(words("device", "edv"), "device enable-development");
  assert.is(words("prd", "list"), "product list");
  assert.is(words("dg", "dep", "list"), "device-group deployment list");
  assert.is(words("tenant", "download-CA-certificate".toLowerCase()), "ca-certificate download");
  assert.is(words("show-sdk-version"), "show-version");
});

test("options: short, long, older, of several letters, with a sign of equality", () => {
  const entry = own("azsphere").find(({ words }) => words === "device wifi add");
  if (!entry) throw new Error("no device wifi add");
  const specs = optionsOf(entry, "azsphere");
  const wanted = { ssid: "a b", psk: "-secret-" };
  for (const line of ['-s "a b" -p -secret-', '--ssid "a b" --key -secret-']) {
    assert.equal(parseOptions(specs, splitWords(line)), wanted, line);
  }
  assert.equal(parseOptions(specs, ["--ssid=a b", "-k", "-secret-"]), wanted);
});

test("usage errors end with 2 and say what is missing", async () => {
  const codes = async (...args: string[]) => {
    const { code, error } = await tool.azsphere(...args);
    return [code, error.split("\n")[0]];
  };
  assert.equal(await codes("device", "wifi", "add"), [
    2,
    "ERROR: the following arguments are required: --ssid/-s",
  ]);
  assert.equal(await codes("device", "wifi", "add", "--sid", "x"), [
    2,
    "ERROR: unrecognized arguments: --sid",
  ]);
  assert.equal(await codes("device", "wifi", "add", "--ssid"), [2, "ERROR: --ssid needs a value."]);
  assert.equal(await codes("device", "wifi", "list", "now"), [
    2,
    "ERROR: unrecognized arguments: now",
  ]);
  assert.equal(await codes("device", "wifi", "add", "--targeted-scan=yes"), [
    2,
    "ERROR: --targeted-scan takes no value.",
  ]);
});

test("any line either parses or is a usage error", () => {
  const entries = own("azsphere");
  const atoms = [
    ...new Set(entries.flatMap(({ words }) => words.split(" "))),
    ...["--ssid", "-s", "--output", "json", "-d", "", "--", "-", "--=", "-of", "x=y"],
  ];
  const line = fc.array(fc.oneof(fc.constantFrom(...atoms), fc.string()), { maxLength: 7 });
  const check = (args: readonly string[]) => {
    try {
      const { entry, rest } = findEntry(entries, "azsphere", args);
      if (entry) parseOptions(optionsOf(entry, "azsphere"), rest);
    } catch (error) {
      assert.ok(error instanceof LabError && error.code === "azsphere-usage", String(error));
    }
  };
  fc.assert(fc.property(line, check), { numRuns: 500 });
});

test("completion offers the next words, then the options", async () => {
  const offered = async (...words: string[]) => {
    const { out } = await tool.azsphere("--complete", ...words);
    return out.split("\n").slice(0, -1);
  };
  assert.equal(await offered("device", "wifi", "s"), ["scan", "show", "show-status"]);
  assert.ok((await offered("")).includes("image-package"));
  assert.equal(await offered("device", "wifi", "add", "--s"), ["--ssid"]);
  assert.equal(await offered("nothing", "like", ""), []);
  const bash = await tool.azsphere("--completion", "bash");
  assert.match(bash.out, "complete -o default -F _spherule_azsphere azsphere\n");
  assert.match((await tool.sphere("--completion", "zsh")).out, "az sphere --complete");
  assert.is((await tool.azsphere("--completion", "fish")).code, 2);
});

test("a table without rows is empty, one of scalars has a column", () => {
  assert.is(boxed([]), "");
  assert.is(boxed(7), "------\nResult\n======\n7\n------");
});

test("the limited az takes the options that scripts give it, and refuses others", async () => {
  const id = await tool.az("account", "show", "--query", "id", "-o", "tsv");
  assert.equal([id.code, id.out], [0, "5be7e000-0000-4000-8000-000000000000\n"]);
  const quiet = await tool.az("login", "--output", "none", "--only-show-errors");
  assert.equal([quiet.code, quiet.out, quiet.error], [0, "", ""]);
  assert.match((await tool.az("account", "show", "--output=yaml")).out, "name: Spherule lab\n");
  assert.is((await tool.az("login", "--tenant", "lab", "--allow-no-subscriptions")).code, 0);
  for (const words of [["login"], ["logout"], ["account", "show"], ["config", "set", "a=b"]]) {
    const { code, error } = await tool.az(...words, "--colour");
    assert.is(code, 2, words.join(" "));
    assert.match(error, "ERROR: unrecognized arguments: --colour\n");
    assert.match((await tool.az(...words, "--help")).out, `az ${words.slice(0, 2)[0]}`);
  }
  assert.is((await tool.az("account", "show", "-o", "xml")).code, 2);
  assert.match((await tool.az("account", "show", "now")).error, "unrecognized arguments: now");
  const defaults = ["config", "set", "defaults.group=lab", "--only-show-errors"];
  assert.is((await tool.az(...defaults)).code, 0);
  const version = await tool.az("--version");
  assert.equal([version.code, /^Spherule \d/.test(version.out)], [0, true]);
});

test("what was typed wrongly ends with 2, in every room", async () => {
  for (const words of ["image-package show", "image-package foo", "foo", "device foo"]) {
    assert.is((await tool.azsphere(...words.split(" "))).code, 2, words);
  }
  assert.is((await tool.azsphere("show-version", "--query", "[")).code, 2);
});

test("the limited az says what it is for", async () => {
  assert.match((await tool.az()).out, "sphere        Azure Sphere, on the lab");
  assert.is((await tool.az("login")).code, 0);
  assert.is(JSON.parse((await tool.az("account", "show")).out).name, "Spherule lab");
  const other = await tool.az("vm", "list");
  assert.is(other.code, 2);
  assert.match(other.error, "'vm list' is not in the lab's 'az'.");
  assert.is((await tool.az("config", "set", "color=blue")).code, 2);
  assert.is((await tool.az("config", "set", "defaults.group=lab")).code, 0);
  const settings = JSON.parse(readFileSync(join(folder, "settings.json"), "utf8"));
  assert.equal(settings, { "defaults.group": "lab" });
});

test("login and register-user explain that nothing is needed", async () => {
  const registered = await tool.ok("register-user", "--new-user", "me@example.com");
  assert.match(registered, "register-user is no longer needed. The lab needs no account");
  assert.match(await tool.ok("login", "--newuser", "me@example.com"), "needs no account");
  assert.match(await tool.ok("show-version"), /^Spherule \d/);
  assert.match((await tool.azsphere("--version")).out, "no Microsoft product");
});

test("interactive runs line by line, and what fails ends nothing", async () => {
  const typed = [
    ...[
      "setting set -n defaults.group -v 'my lab'",
      "",
      "azsphere setting list --query '[3].value'",
    ],
    ...["device wifi wifi show-status", "interactive", "show-user", "exit", "show-version"],
  ];
  const shell = createTool({
    env: { SPHERULE_SETTINGS: join(folder, "interactive.json") },
    typed,
  });
  const { code, out, error } = await shell.azsphere("interactive");
  assert.is(code, 0);
  assert.match(out, "Type commands without 'azsphere'; 'exit' leaves.\n");
  assert.match(out, "'defaults.group' is 'my lab' now.\n");
  assert.match(out, /\nResult\n=+\nmy lab\n/);
  assert.match(out, "Name : lab\n");
  assert.not.match(out, "Azure Sphere SDK");
  assert.match(error, "Did you mean 'azsphere device wifi show-status'?\n");
  assert.match(error, "You are in it already; 'exit' leaves.\n");
});

test("settings are set, listed and forgotten; unknown ones are refused", async () => {
  const env = { SPHERULE_SETTINGS: join(folder, "kept.json") };
  const own = createTool({ env });
  await own.ok("setting", "set", "--name", "deployment-timeout", "--value", "90");
  const shown = await own.json("device", "sideload", "show-deployment-timeout");
  assert.match(JSON.stringify(shown), "90");
  const listed = await own.json("setting", "list");
  assert.is(listed.find(({ name }: { name: string }) => name === "deployment-timeout").value, "90");
  await own.ok("setting", "delete", "--name", "deployment-timeout");
  assert.equal(JSON.parse(readFileSync(env.SPHERULE_SETTINGS, "utf8")), {});
  const { code, error } = await own.azsphere("setting", "set", "-n", "colour", "-v", "blue");
  assert.is(code, 2);
  assert.match(error, "There is no setting 'colour'.\nChoose among tenant, ");
});

test("feedback says whom to tell", async () => {
  assert.match(await tool.ok("feedback"), "Microsoft cannot help with it.");
});

test("every number that the device refuses with has words, and those of its manifest name the field", () => {
  for (const number of Object.values(ERRORS)) assert.type(meaningOf(number), "string", `${number}`);
  assert.is(meaningOf(2_097_162), "The application manifest is not valid: Gpio is wrong");
  assert.match(refusalOf(400, '{"error":1048591}').message, /\(Device error 1\.15\)$/);
  assert.is(refusalOf(400, '{"error":1}').message, "The device refused. (Device error 0.1)");
  assert.is(refusalOf(502, "<html>").message, "The device answered 502.");
});

test("docs/azsphere.md lists every command", () => {
  const page = readFileSync(join(packageFolder(), "docs/azsphere.md"), "utf8");
  for (const { words } of allEntries) assert.match(page, `| \`${words}\` |`);
});

test("every error of the room has a heading in docs/errors.md", () => {
  const headings = readFileSync(join(packageFolder(), "docs/errors.md"), "utf8");
  for (const code of CODES) assert.match(headings, `\n## ${code}\n`);
});

const CODES = [
  ...["azsphere-usage", "azsphere-not-found", "device-unreachable", "device-silent"],
  ...["device-refused", "service-refused", "service-unreachable", "recovery-unavailable"],
  ...["name-taken", "deployment-timeout", "confirmation-needed", "declined", "tenant-made"],
  ...["capability-file-invalid", "file-unwritable", "file-unreadable", "certificate-invalid"],
  ...["updates-unavailable", "device-claimed", "catalog-exists", "name-invalid", "user-invalid"],
];

test.run();
