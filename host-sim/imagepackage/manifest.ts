import { Ajv, type ErrorObject } from "ajv";
import { LineCounter, parseDocument } from "yaml";
import { LabError, messageOf } from "../errors.ts";
import schema from "./app-manifest.schema.json";
import { nearest } from "./nearest.ts";
import { pinConflicts } from "./pins.ts";

/** Capabilities as app_manifest.json spells them; what is absent is not granted. */
export interface Capabilities {
  readonly AllowedConnections?: readonly string[];
  readonly AllowedTcpServerPorts?: readonly number[];
  readonly AllowedUdpServerPorts?: readonly number[];
  readonly AllowedApplicationConnections?: readonly string[];
  readonly DeviceAuthentication?: string;
  readonly Gpio?: readonly (number | string)[];
  readonly Uart?: readonly string[];
  readonly I2cMaster?: readonly string[];
  readonly SpiMaster?: readonly string[];
  readonly Pwm?: readonly string[];
  readonly Adc?: readonly string[];
  readonly PowerControls?: readonly string[];
  readonly MutableStorage?: { readonly SizeKB: number };
  readonly SystemEventNotifications?: boolean;
  readonly SoftwareUpdateDeferral?: boolean;
  readonly [capability: string]: unknown;
}

/** An application manifest that was found to be correct. */
export interface Manifest {
  readonly SchemaVersion: 1;
  readonly Name: string;
  readonly ComponentId: string;
  readonly EntryPoint: string;
  readonly CmdArgs: readonly string[];
  readonly Capabilities: Capabilities;
  readonly ApplicationType?: "Default" | "RealTimeCapable" | "Debugger";
  readonly MallocVersion?: number;
  readonly TargetApplicationRuntimeVersion?: number;
  readonly TargetBetaApis?: string;
}

const validate = new Ajv({ allErrors: true, verbose: true }).compile<Manifest>(schema);
const KNOWN_CAPABILITIES = Object.keys(schema.definitions.capabilities.properties);
const KNOWN_FIELDS = Object.keys(schema.properties);

/**
 * Reads and checks an application manifest.
 * @param file its name, for messages
 * @throws LabError manifest-invalid, with line and column of each problem
 */
export function parseManifest(source: string, file = "app_manifest.json"): Manifest {
  const text = source.replace(/^\uFEFF/, "");
  const position = positions(text);
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    throw invalid(file, [`it is no JSON: ${positioned(messageOf(error), text)}`]);
  }
  const problems = validate(manifest)
    ? contradictions(manifest, position)
    : (validate.errors ?? [])
        // Tells only that a condition failed; what failed in it is an error of its own.
        .filter(({ keyword }) => keyword !== "if")
        .map((error) => `${position(error.instancePath)}: ${explain(error)}`);
  problems.push(...misspelled(manifest, position));
  if (problems.length > 0) throw invalid(file, problems);
  // A real-time capable application may leave its arguments out.
  const { CmdArgs: args = [] } = manifest as Partial<Manifest>;
  return { ...(manifest as Manifest), CmdArgs: args };
}

/** What each field allows by itself and not together. */
function contradictions(manifest: Manifest, position: (pointer: string) => string): string[] {
  const { Capabilities: capabilities } = manifest;
  const problems: string[] = [];
  if (capabilities.SoftwareUpdateDeferral && !capabilities.SystemEventNotifications) {
    const place = position("/Capabilities/SoftwareUpdateDeferral");
    problems.push(`${place}: SoftwareUpdateDeferral needs SystemEventNotifications as well`);
  }
  for (const { kind, value, other, pin } of pinConflicts(capabilities)) {
    const index = (capabilities[kind] as readonly unknown[]).indexOf(value);
    const place = position(`/Capabilities/${kind}/${index}`);
    problems.push(`${place}: ${kind} ${value} and ${other} both use pin ${pin}`);
  }
  return problems;
}

/** The line and column of a JSON pointer; JSON is YAML, whose parser keeps positions. */
function positions(text: string): (pointer: string) => string {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  return (pointer) => {
    const path = pointer.split("/").slice(1);
    const node = document.getIn(path, true) as { range?: [number, number, number] } | undefined;
    const { line, col } = lineCounter.linePos(node?.range?.[0] ?? 0);
    return `line ${line}, column ${col}`;
  };
}

function positioned(message: string, text: string): string {
  const offset = /at position (\d+)/.exec(message)?.[1];
  if (offset === undefined) return message;
  const before = text.slice(0, Number(offset)).split("\n");
  return `${message} (line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1})`;
}

function explain(error: ErrorObject): string {
  const name = error.instancePath.slice(1).replaceAll("/", ".") || "the manifest";
  const shown = typeof error.data === "object" ? "" : ` ${JSON.stringify(error.data)}`;
  const meant = error.parentSchema?.description;
  if (meant && ["pattern", "enum", "not", "minimum", "maximum"].includes(error.keyword)) {
    return `${name}${shown} has to be ${meant}`;
  }
  const allowed = error.params.allowedValues ?? error.params.allowedValue;
  const more = allowed === undefined ? "" : `: ${JSON.stringify(allowed)}`;
  return `${name}${shown} ${error.message}${more}`;
}

/**
 * Unknown names are kept by Microsoft's packer, but a name that is nearly one that exists is a
 * mistake that costs its author an afternoon.
 */
function misspelled(manifest: unknown, position: (pointer: string) => string): string[] {
  if (typeof manifest !== "object" || manifest === null) return [];
  const { Capabilities: capabilities } = manifest as { Capabilities?: object };
  const check = (names: readonly string[], known: readonly string[], prefix: string) =>
    names.flatMap((name) => {
      const meant = known.includes(name) ? undefined : nearest(name.trim(), known);
      if (meant === undefined || meant === name.trim()) return [];
      return [`${position(`${prefix}/${name}`)}: ${name} is unknown; did you mean ${meant}?`];
    });
  return [
    ...check(Object.keys(manifest), KNOWN_FIELDS, ""),
    ...check(Object.keys(capabilities ?? {}), KNOWN_CAPABILITIES, "/Capabilities"),
  ];
}

function invalid(file: string, problems: readonly string[]): LabError {
  return new LabError(
    "manifest-invalid",
    `${file} is not correct:\n${problems.map((problem) => `  ${problem}`).join("\n")}`,
    "Correct it; docs/image-package.md lists fields and capabilities.",
  );
}
