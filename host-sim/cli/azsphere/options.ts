import { usage } from "./errors.ts";
import type { Entry, Given, Grammar, Options } from "./table.ts";

/** One option of a command. */
export interface OptionSpec {
  /** camelCase of the first long name. */
  readonly key: string;
  readonly long: string;
  readonly short?: string;
  /** Further spellings that are understood. */
  readonly aliases: readonly string[];
  /** `<file>`, `<ids...>` for several; absent for a switch. */
  readonly value?: string;
  readonly required: boolean;
  readonly description: string;
}

const FORMATS = ["table", "json", "jsonc", "tsv", "yaml", "yamlc", "none"];

/** Options of every command. */
const COMMON: Options = {
  "-o, --output <format>": `how to print: ${FORMATS.join(", ")}`,
  "--query <expression>": "JMESPath expression that picks from the result",
  "--verbose --debug": "say which requests are sent",
  "--only-show-errors": "say nothing beside errors and the result",
  "-h, --help": "show this page",
};

const DEVICE: Options = {
  "-d, --device <device>": "device id, IP address or connection path; needed among several",
};
const TENANT: Options = {
  "-t, --tenant --tenantid --tenant-id <tenant>": "name or id; the selected one if absent",
};
const CATALOG: Options = {
  "-c, --catalog <name>": "the catalog; `config set defaults.sphere.catalog=NAME` if absent",
  "-g, --resource-group <name>": "its resource group; `config set defaults.group=NAME` if absent",
};

/** All options of a command in one of the grammars. */
export function optionsOf(entry: Entry, grammar: Grammar): readonly OptionSpec[] {
  const own = { ...entry.options, ...(grammar === "az" ? entry.az : entry.v2) };
  const specs = [own].flatMap(parseAll);
  const shared = {
    ...(entry.needs?.includes("cloud") ? (grammar === "az" ? CATALOG : TENANT) : {}),
    ...(entry.needs?.includes("device") ? DEVICE : {}),
    ...COMMON,
  };
  // A command's own names win.
  const taken = new Set(specs.flatMap(({ long, short, aliases }) => [long, short, ...aliases]));
  const rest = parseAll(shared).filter(({ long }) => !taken.has(long));
  return [...specs, ...rest.map((spec) => without(spec, taken))];
}

const without = (spec: OptionSpec, taken: ReadonlySet<string | undefined>): OptionSpec => ({
  ...spec,
  short: taken.has(spec.short) ? undefined : spec.short,
  aliases: spec.aliases.filter((name) => !taken.has(name)),
});

const parseAll = (options: Options): OptionSpec[] =>
  Object.entries(options).map(([flags, description]) => parseSpec(flags, description));

function parseSpec(flags: string, description: string): OptionSpec {
  const required = flags.startsWith("!");
  const [names = "", value] = flags.replace(/^!/, "").split(" <");
  const words = names.split(/[ ,]+/);
  const [long = "", ...older] = words.filter((word) => word.startsWith("--"));
  const shorts = words.filter((word) => !word.startsWith("--"));
  const short = shorts.find((word) => word.length === 2);
  return {
    key: long.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
    long,
    short,
    aliases: [...older, ...shorts.filter((word) => word !== short)],
    value: value?.slice(0, -1),
    required,
    description,
  };
}

/**
 * Reads what follows the words of a command.
 * @throws LabError azsphere-usage for unknown options, missing values and missing options
 */
export function parseOptions(specs: readonly OptionSpec[], args: readonly string[]): Given {
  const given: Record<string, string | boolean | string[]> = {};
  for (let index = 0; index < args.length; ) {
    const { spec, inline } = specOf(specs, args[index] ?? "");
    index += 1;
    if (spec.value === undefined) {
      if (inline !== undefined) throw usage(`${spec.long} takes no value.`, "Leave it out.");
      given[spec.key] = true;
      continue;
    }
    const several = spec.value.endsWith("...");
    const values = inline === undefined ? valuesAt(args, index, several) : [inline];
    if (inline === undefined) index += values.length;
    if (values.length === 0) throw usage(`${spec.long} needs a value.`, helpHint(spec));
    given[spec.key] = several
      ? [...((given[spec.key] as string[] | undefined) ?? []), ...values]
      : (values[0] ?? "");
  }
  requireAll(specs, given);
  return given;
}

/**
 * The choice that an option names, in any letter case; looked at before anything is sent.
 * @throws LabError azsphere-usage
 */
export function oneOf(given: Given, key: string, choices: readonly string[]): string {
  const value = String(given[key] ?? "");
  const choice = choices.find((each) => each.toLowerCase() === value.toLowerCase());
  if (choice !== undefined) return choice;
  const option = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw usage(`--${option} is '${value}'.`, `Choose ${choices.join(" or ")}.`);
}

const helpHint = ({ long, value }: OptionSpec) => `For example ${long} ${value?.toUpperCase()}.`;

function specOf(specs: readonly OptionSpec[], arg: string) {
  const at = arg.startsWith("--") ? arg.indexOf("=") : -1;
  const name = at < 0 ? arg : arg.slice(0, at);
  const spec = specs.find(
    ({ long, short, aliases }) => [long, short].includes(name) || aliases.includes(name),
  );
  if (spec) return { spec, inline: at < 0 ? undefined : arg.slice(at + 1) };
  if (!arg.startsWith("-")) {
    throw usage(`unrecognized arguments: ${arg}`, "Every value follows an option; see --help.");
  }
  const near = specs.find(({ long }) => long.startsWith(name.slice(0, 5)));
  throw usage(
    `unrecognized arguments: ${name}`,
    near ? `Did you mean ${near.long}?` : `Known are ${specs.map(({ long }) => long).join(", ")}.`,
  );
}

/** A single value may begin with a dash, as a negative number does; of several none may. */
function valuesAt(args: readonly string[], index: number, several: boolean): string[] {
  if (!several) return args[index] === undefined ? [] : [args[index]];
  const end = args.findIndex((arg, at) => at >= index && arg.startsWith("-"));
  return args.slice(index, end < 0 ? undefined : end);
}

function requireAll(specs: readonly OptionSpec[], given: Given): void {
  const format = given.output;
  if (typeof format === "string" && !FORMATS.includes(format)) {
    throw usage(`--output cannot be '${format}'.`, `Choose among ${FORMATS.join(", ")}.`);
  }
  if (given.help) return;
  const missing = specs.filter(({ required, key }) => required && given[key] === undefined);
  if (missing.length === 0) return;
  const names = missing.map(({ long, short }) => (short ? `${long}/${short}` : long));
  throw usage(
    `the following arguments are required: ${names.join(", ")}`,
    `Add ${missing.map(({ long, value }) => `${long} <${value}>`).join(" ")}; see --help.`,
  );
}
