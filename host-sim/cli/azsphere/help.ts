import { type OptionSpec, optionsOf } from "./options.ts";
import type { Entry, Grammar } from "./table.ts";

export const NOTICE =
  "This is Spherule, an emulator of Azure Sphere and no Microsoft product.\n" +
  "Nothing here reaches Azure or a real device.";

const GROUPS: Readonly<Record<string, string>> = {
  device: "devices that are attached, and devices of the Security Service",
  "device app": "applications on the attached device",
  "device capability": "what the attached device may do",
  "device certificate": "certificates for Wi-Fi on the attached device",
  "device image": "images on the device, and images that it is to have",
  "device manufacturing-state": "how far the device is out of the factory",
  "device network": "interfaces, firewall and proxy of the attached device",
  "device network proxy": "the proxy of the attached device",
  "device sideload": "bring applications by cable",
  "device wifi": "Wi-Fi of the attached device",
  "device-group": "groups of devices that get the same software",
  "device-group deployment": "what a group is to have",
  "device-group device": "members of a group",
  deployment: "what a group is to have",
  image: "images in the Security Service",
  "image-package": "image packages on this computer",
  "hardware-definition": "headers of boards",
  product: "kinds of devices, with their groups",
  role: "who may do what in a tenant",
  setting: "what this tool remembers",
  tenant: "tenants of the Security Service",
  catalog: "catalogs of the Security Service",
  "ca-certificate": "CA certificates of a tenant",
  config: "defaults of this command line",
};

/** Groups that `spherule` itself has too, and that are not in the table. */
export const OWN_GROUPS = ["image-package", "hardware-definition"] as const;

/** The page of a group: what is right below it. */
export function groupHelp(
  entries: readonly Entry[],
  program: string,
  words: readonly string[],
): string {
  const prefix = words.map((word) => `${word} `).join("");
  const groups = new Map<string, string>();
  const commands = new Map<string, string>();
  for (const entry of entries) {
    if (!entry.words.startsWith(prefix)) continue;
    const [next = "", more] = entry.words.slice(prefix.length).split(" ");
    if (more === undefined) commands.set(next, entry.summary);
    else groups.set(next, GROUPS[prefix + next] ?? "");
  }
  if (words.length === 0) for (const name of OWN_GROUPS) groups.set(name, GROUPS[name] ?? "");
  return [
    `Usage: ${[program, ...words].join(" ")} <command> [options]`,
    ...section("Groups", groups),
    ...section("Commands", commands),
    "",
    NOTICE,
    "",
  ].join("\n");
}

/** The page of a command: options and examples. */
export function entryHelp(entry: Entry, grammar: Grammar, program: string): string {
  const rows = new Map(
    optionsOf(entry, grammar).map((spec) => [flagsOf(spec), descriptionOf(spec)]),
  );
  return [
    `Usage: ${program} ${entry.words} [options]`,
    "",
    capital(entry.summary),
    ...section("Options", rows),
    "",
    "Examples:",
    ...examplesOf(entry, grammar).map(
      (args) => `  ${`${program} ${entry.words} ${args}`.trimEnd()}`,
    ),
    "",
    NOTICE,
    "",
  ].join("\n");
}

const examplesOf = ({ examples, azExamples }: Entry, grammar: Grammar) =>
  grammar === "az" ? (azExamples ?? examples) : examples;

function section(title: string, rows: ReadonlyMap<string, string>): string[] {
  if (rows.size === 0) return [];
  const width = Math.max(...[...rows.keys()].map((name) => name.length));
  const lines = [...rows].map(([name, words]) => `  ${name.padEnd(width)}  ${words}`.trimEnd());
  return ["", `${title}:`, ...lines];
}

function flagsOf({ short, long, value }: OptionSpec): string {
  const names = short ? `${short}, ${long}` : `    ${long}`;
  return value === undefined ? names : `${names} <${value}>`;
}

const descriptionOf = ({ required, description }: OptionSpec) =>
  required ? `${description} [required]` : description;

const capital = (words: string) => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
