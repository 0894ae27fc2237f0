import { Ajv, type ErrorObject } from "ajv";
import { LineCounter, parseDocument } from "yaml";
import { LabError, messageOf } from "../errors.ts";
import schema from "./app-manifest.schema.json";

/** Capabilities as app_manifest.json spells them; what is absent is not granted. */
export interface Capabilities {
  readonly AllowedConnections?: readonly string[];
  readonly AllowedTcpServerPorts?: readonly number[];
  readonly AllowedUdpServerPorts?: readonly number[];
  readonly AllowedApplicationConnections?: readonly string[];
  readonly DeviceAuthentication?: string;
  readonly Gpio?: readonly (number | string)[];
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
  readonly TargetApplicationRuntimeVersion?: number;
}

const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile<Manifest>(schema);
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
    ? []
    : (validate.errors ?? []).map(
        (error) => `${position(error.instancePath)}: ${explain(error, manifest)}`,
      );
  problems.push(...misspelled(manifest, position));
  if (problems.length > 0) throw invalid(file, problems);
  return manifest as Manifest;
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

function explain(error: ErrorObject, manifest: unknown): string {
  const name = error.instancePath.slice(1).replaceAll("/", ".") || "the manifest";
  const value = error.instancePath
    .split("/")
    .slice(1)
    .reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], manifest);
  const shown = typeof value === "object" ? "" : ` ${JSON.stringify(value)}`;
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

/** The known name that differs by at most a third of its letters. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, edits: distance(name, candidate) }))
    .sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  return best && best.edits <= best.candidate.length / 3 ? best.candidate : undefined;
}

/** Levenshtein distance without regard to case. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1]?.toLowerCase() === b[j - 1]?.toLowerCase();
      const replaced = (row[j - 1] ?? 0) + (same ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function invalid(file: string, problems: readonly string[]): LabError {
  return new LabError(
    "manifest-invalid",
    `${file} is not correct:\n${problems.map((problem) => `  ${problem}`).join("\n")}`,
    "Correct it; docs/imagepackage.md lists fields and capabilities.",
  );
}
