import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { LabError, messageOf } from "../errors.ts";
import { type Manifest, nearest } from "./manifest.ts";

/** A peripheral of a hardware definition file. */
export interface Peripheral {
  readonly Name: string;
  readonly Type: string;
  /** The name of a peripheral of an imported file. */
  readonly Mapping?: string;
  readonly AppManifestValue?: number | string;
  readonly Comment?: string;
}

interface HardwareDefinitionFile {
  readonly Description?: { readonly Name?: string };
  readonly Imports?: readonly { readonly Path: string }[];
  readonly Peripherals?: readonly Peripheral[];
}

/** A board: its own peripherals and, by mapping, those of the chip below. */
export interface HardwareDefinition {
  readonly name: string;
  /** All peripherals by name; the board's own hide those of imported files. */
  readonly peripherals: ReadonlyMap<string, Peripheral>;
}

/**
 * Reads a hardware definition with its imports.
 * @param file a JSON file
 * @param folders where imports are looked up after the importing file's own folder
 * @throws LabError hardware-definition-invalid
 */
export function readHardwareDefinition(
  file: string,
  folders: readonly string[] = [],
): HardwareDefinition {
  const peripherals = new Map<string, Peripheral>();
  const definition = collect(file, folders, peripherals, []);
  return { name: definition.Description?.Name ?? file, peripherals };
}

/** The value that a manifest gets for `$NAME`, or undefined when the definition has none. */
export function manifestValue(
  definition: HardwareDefinition,
  name: string,
): number | string | undefined {
  const seen = new Set<string>();
  let peripheral = definition.peripherals.get(name);
  while (peripheral && peripheral.AppManifestValue === undefined) {
    if (peripheral.Mapping === undefined || seen.has(peripheral.Name)) return undefined;
    seen.add(peripheral.Name);
    peripheral = definition.peripherals.get(peripheral.Mapping);
  }
  return peripheral?.AppManifestValue;
}

/**
 * Puts values in place of `$NAME` in every list of capabilities; all else stays as it is.
 * @throws LabError peripheral-unknown
 */
export function resolveManifest(manifest: Manifest, definition: HardwareDefinition): Manifest {
  const value = (item: unknown) => {
    if (typeof item !== "string" || !item.startsWith("$")) return item;
    const found = manifestValue(definition, item.slice(1));
    if (found !== undefined) return found;
    const meant = nearest(item.slice(1), [...definition.peripherals.keys()]);
    throw new LabError(
      "peripheral-unknown",
      `app_manifest.json names ${item}, which ${definition.name} does not have.`,
      meant ? `Did you mean $${meant}?` : "The names are in the hardware definition file.",
    );
  };
  const entries = Object.entries(manifest.Capabilities).map(([name, list]) => [
    name,
    Array.isArray(list) ? list.map(value) : list,
  ]);
  return { ...manifest, Capabilities: Object.fromEntries(entries) };
}

function collect(
  file: string,
  folders: readonly string[],
  into: Map<string, Peripheral>,
  chain: readonly string[],
): HardwareDefinitionFile {
  if (chain.includes(file)) throw invalid(file, `it imports itself: ${chain.join(" → ")}`);
  const definition = read(file);
  for (const { Path: path } of definition.Imports ?? []) {
    const found = [dirname(file), ...folders]
      .map((folder) => join(folder, path))
      .find((candidate) => existsSync(candidate));
    if (!found) throw invalid(file, `its import ${path} was not found`);
    collect(found, folders, into, [...chain, file]);
  }
  for (const peripheral of definition.Peripherals ?? []) into.set(peripheral.Name, peripheral);
  return definition;
}

function read(file: string): HardwareDefinitionFile {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw invalid(file, messageOf(error));
  }
}

function invalid(file: string, problem: string): LabError {
  return new LabError(
    "hardware-definition-invalid",
    `The hardware definition ${file} cannot be used: ${problem}.`,
    "Correct the file or name another; hardware-definitions/mt3620_rdb.json is an example.",
  );
}
