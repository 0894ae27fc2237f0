import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { LabError, messageOf } from "../errors.ts";
import type { Capabilities, Manifest } from "./manifest.ts";
import { nearest } from "./nearest.ts";
import { pinConflicts } from "./pins.ts";

/** A peripheral of a hardware definition file. */
export interface Peripheral {
  readonly Name: string;
  /** Gpio, Uart, I2cMaster, SpiMaster, Pwm, Adc, or int for numbers of the header only. */
  readonly Type: string;
  /** The name of a peripheral of an imported file. */
  readonly Mapping?: string;
  readonly AppManifestValue?: number | string;
  /** What the C header defines the name as; a mapped peripheral is defined as what it maps to. */
  readonly MainCoreHeaderValue?: number | string;
  readonly Comment?: string;
}

/** A peripheral whose chain of mappings was followed to its end. */
export interface ResolvedPeripheral extends Peripheral {
  readonly manifestValue?: number | string;
  readonly headerValue?: number | string;
}

/** A hardware definition file as it is written. */
export interface HardwareDefinitionFile {
  readonly Description?: {
    readonly Name?: string;
    readonly MainCoreHeaderFileTopContent?: readonly string[];
  };
  readonly Imports?: readonly { readonly Path: string }[];
  readonly Peripherals?: readonly Peripheral[];
}

/** A board: its own peripherals and, by mapping, those of the chip below. */
export interface HardwareDefinition {
  readonly name: string;
  /** Absolute. */
  readonly file: string;
  readonly source: HardwareDefinitionFile;
  /** All peripherals by name; the board's own hide those of imported files. */
  readonly peripherals: ReadonlyMap<string, ResolvedPeripheral>;
}

/**
 * Reads a hardware definition with its imports.
 * @param file a JSON file
 * @param folders where imports are looked up, in order, after the importing file's own folder
 * @throws LabError hardware-definition-invalid
 */
export function readHardwareDefinition(
  file: string,
  folders: readonly string[] = [],
): HardwareDefinition {
  return load(resolve(file), folders, []);
}

/** The value that a manifest gets for `$NAME`, or undefined when the definition has none. */
export function manifestValue(
  definition: HardwareDefinition,
  name: string,
): number | string | undefined {
  return definition.peripherals.get(name)?.manifestValue;
}

/**
 * Puts values in place of `$NAME` in every list of capabilities; all else stays as it is.
 * @throws LabError peripheral-unknown
 */
export function resolveManifest<Source extends Pick<Manifest, "Capabilities">>(
  manifest: Source,
  definition: HardwareDefinition,
): Source {
  const value = (item: unknown) =>
    typeof item === "string" && item.startsWith("$") ? valueOfName(definition, item) : item;
  const entries = Object.entries(manifest.Capabilities).map(([name, list]) => [
    name,
    Array.isArray(list) ? list.map(value) : list,
  ]);
  return { ...manifest, Capabilities: Object.fromEntries(entries) };
}

/**
 * Refuses peripherals that exclude each other, by the names that the author wrote. Rewriting does
 * not check this; the device does at installation, which is late to learn of it.
 * @throws LabError peripherals-conflict
 */
export function refuseConflicts(written: Capabilities, resolved: Capabilities): void {
  const [conflict] = pinConflicts(resolved);
  if (!conflict) return;
  const { kind, value, other, pin } = conflict;
  const index = (resolved[kind] as readonly unknown[]).lastIndexOf(value);
  const name = (written[kind] as readonly unknown[])[index];
  throw new LabError(
    "peripherals-conflict",
    `In app_manifest.json ${kind} ${name} and ${other} both use pin ${pin}.`,
    "Leave one of the two out, or use another controller.",
  );
}

function valueOfName(definition: HardwareDefinition, item: string): number | string {
  const name = item.slice(1);
  const found = manifestValue(definition, name);
  if (found !== undefined) return found;
  const known = definition.peripherals.get(name);
  if (known) {
    throw new LabError(
      "peripheral-unknown",
      `app_manifest.json names ${item}, but a peripheral of type ${known.Type} has no value there.`,
      "Name the controller or pin that it belongs to.",
    );
  }
  const meant = nearest(name, [...definition.peripherals.keys()]);
  throw new LabError(
    "peripheral-unknown",
    `app_manifest.json names ${item}, which ${definition.name} does not have.`,
    meant ? `Did you mean $${meant}?` : "The names are in the hardware definition file.",
  );
}

function load(
  file: string,
  folders: readonly string[],
  chain: readonly string[],
): HardwareDefinition {
  if (chain.includes(file)) throw invalid(file, `it imports itself: ${chain.join(" → ")}`);
  const source = read(file);
  const below = new Map<string, ResolvedPeripheral>();
  for (const { Path: path } of source.Imports ?? []) {
    const found = [dirname(file), ...folders]
      .map((folder) => resolve(join(folder, path)))
      .find((candidate) => existsSync(candidate));
    if (!found) throw invalid(file, `its import ${path} was not found`);
    for (const [name, peripheral] of load(found, folders, [...chain, file]).peripherals) {
      below.set(name, peripheral);
    }
  }
  const peripherals = resolvePeripherals(file, source.Peripherals ?? [], below);
  return { name: source.Description?.Name ?? file, file, source, peripherals };
}

/** A mapping names a peripheral of an imported file, or an earlier or later one of the same. */
function resolvePeripherals(
  file: string,
  own: readonly Peripheral[],
  below: ReadonlyMap<string, ResolvedPeripheral>,
): Map<string, ResolvedPeripheral> {
  const byName = new Map(own.map((peripheral) => [peripheral.Name, peripheral]));
  const resolved = new Map(below);
  for (const peripheral of own) {
    let end: Peripheral | ResolvedPeripheral = peripheral;
    for (let step = 0; end.Mapping !== undefined && !("manifestValue" in end); step++) {
      const next: Peripheral | undefined = below.get(end.Mapping) ?? byName.get(end.Mapping);
      if (!next || step > own.length) {
        const problem = next ? "ends in itself" : `to ${end.Mapping} leads nowhere`;
        throw invalid(file, `the mapping of ${peripheral.Name} ${problem}`);
      }
      end = next;
    }
    const manifest = "manifestValue" in end ? end.manifestValue : end.AppManifestValue;
    const header = "headerValue" in end ? end.headerValue : headerValueOf(end);
    resolved.set(peripheral.Name, {
      ...peripheral,
      manifestValue: manifest as number | string | undefined,
      headerValue: header as number | string | undefined,
    });
  }
  return resolved;
}

const headerValueOf = (end: Peripheral): number | string | undefined =>
  end.MainCoreHeaderValue ??
  (typeof end.AppManifestValue === "number" ? end.AppManifestValue : undefined);

function read(file: string): HardwareDefinitionFile {
  let source: unknown;
  try {
    source = JSON.parse(readFileSync(file, "utf8").replace(/^\uFEFF/, ""));
  } catch (error) {
    throw invalid(file, messageOf(error));
  }
  const problem = problemOf(source);
  if (problem) throw invalid(file, problem);
  return source as HardwareDefinitionFile;
}

function problemOf(source: unknown): string | undefined {
  if (typeof source !== "object" || source === null || Array.isArray(source)) {
    return "it is no JSON object";
  }
  const { Imports: imports = [], Peripherals: peripherals = [] } = source as Record<
    string,
    unknown
  >;
  const texts = (list: unknown, ...names: string[]) =>
    Array.isArray(list) &&
    list.every((item) => names.every((name) => typeof item?.[name] === "string"));
  if (!texts(imports, "Path")) return 'Imports has to be a list of {"Path": "file.json"}';
  if (!texts(peripherals, "Name", "Type")) return "every peripheral needs a Name and a Type";
  const names = (peripherals as Peripheral[]).map(({ Name: name }) => name);
  const wrong = names.find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (wrong !== undefined) return `${JSON.stringify(wrong)} is no name for a peripheral`;
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? undefined : `it names ${twice} twice`;
}

function invalid(file: string, problem: string): LabError {
  return new LabError(
    "hardware-definition-invalid",
    `The hardware definition ${file} cannot be used: ${problem}.`,
    "Correct the file or name another; hardware-definitions/mt3620_rdb.json is an example.",
  );
}
