import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import type { CompilerProcess } from "../compiler/process.ts";
import { LabError } from "../errors.ts";
import { TIERS, type Tier } from "../hub/limits.ts";
import type { Target } from "../lab/app-image.ts";
import { BODIES, type Body } from "../lab/bodies.ts";
import { MOST_DEVICES, MOST_HUB_PROCESSES } from "../lab/device-count.ts";
import type { Programs } from "../lab/programs.ts";
import { STATE_FOLDER } from "../lab/state-folder.ts";
import type { LabOptions } from "../lab.ts";
import { collect, wholeNumber } from "./options.ts";

const HOUR_MS = 3_600_000;

/** What `start` and `exec` have in common. */
export interface LabCommandOptions {
  readonly project: string;
  readonly state?: string;
  readonly inMemory?: boolean;
  readonly unclaimed?: boolean;
  readonly release?: boolean;
  readonly imagePackage?: string;
  readonly trust?: readonly string[];
  readonly body: Body;
  readonly mqttPort?: number;
  readonly httpsPort?: number;
  readonly amqpPort?: number;
  readonly tier?: Tier;
  readonly units?: number;
  readonly enforceLimits?: boolean;
  readonly apiPort?: number;
  readonly deviceRestPort?: number;
  readonly dcsPort?: number;
  readonly outputPort?: number;
  readonly gdbPort?: number;
  readonly devices?: number;
  readonly hubProcesses?: number;
  readonly updateCheckHours?: number;
  readonly hub?: string;
  readonly deviceId?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Adds the options that say which lab to start. */
export function withLabOptions(command: Command): Command {
  return command
    .option("--project <folder>", "the app's folder, with app_manifest.json", ".")
    .option("--state <folder>", "where the lab keeps its state; .spherule in the project if absent")
    .option("--in-memory", "keep nothing")
    .option("--unclaimed", "leave the devices as they left the factory")
    .option("--release", "run the optimised build of the app")
    .option("--image-package <file>", "boot the app of this package in place of the project's")
    .option(
      "--trust <certificate>",
      "let the device take this signer's packages too, PEM; may be repeated",
      collect,
    )
    .addOption(
      new Option("--body <body>", "what runs the app: V8, a native program, or an ARM one in qemu")
        .choices(BODIES)
        .default("wasm"),
    )
    .option("--mqtt-port <port>", "the hub's port; any free one if absent", wholeNumber(0, 65_535))
    .option("--https-port <port>", "its HTTPS and WebSocket port", wholeNumber(0, 65_535))
    .option("--amqp-port <port>", "its AMQP port", wholeNumber(0, 65_535))
    .addOption(new Option("--tier <tier>", "the hub's tier").choices(TIERS))
    .option("--units <count>", "how many units of the tier", wholeNumber(1, 200))
    .option("--enforce-limits", "refuse what is over the tier's throttles and quota")
    .option(
      "--api-port <port>",
      "the lab's own port; any free one if absent",
      wholeNumber(0, 65_535),
    )
    .option(
      "--device-rest-port <port>",
      "the first device's REST API, the next ones follow; any free ports if absent",
      wholeNumber(0, 65_535),
    )
    .option(
      "--devices <count>",
      "how many virtual devices run the app; 1 if absent",
      wholeNumber(1, MOST_DEVICES),
    )
    .option(
      "--dcs-port <port>",
      "the service that lists the devices; tools dial 48938; any free port if absent",
      wholeNumber(0, 65_535),
    )
    .option(
      "--hub-processes <count>",
      "how many processes serve devices over MQTT; 1 if absent",
      wholeNumber(1, MOST_HUB_PROCESSES),
    )
    .option(
      "--update-check-hours <hours>",
      "how often the devices look for updates, in the lab's time; 24 if absent",
      wholeNumber(1, 8_760),
    )
    .option(
      "--gdb-port <port>",
      "where gdb finds a debugged app of the first device; any free port if absent",
      wholeNumber(0, 65_535),
    )
    .option(
      "--output-port <port>",
      "output of a debugged app of the first device; any free port if absent",
      wholeNumber(0, 65_535),
    )
    .option("--hub <host>", "join this hub, for example a real one, in place of the lab's own")
    .option("--device-id <id>", "with --hub and a certificate: the device's id there")
    .option("--cert <file>", "with --hub: a certificate from outside in place of the lab's, PEM")
    .option("--key <file>", "with --hub: its private key, PEM");
}

export const targetOf = (options: LabCommandOptions): Target =>
  options.release ? "release" : "debug";

/** Builds the app and answers the options of the lab. */
export async function labOptions(
  options: LabCommandOptions,
  compiler?: CompilerProcess,
): Promise<LabOptions> {
  const projectFolder = resolve(options.project);
  if (options.inMemory && options.state !== undefined) {
    throw new LabError(
      "options-conflict",
      "--in-memory keeps no state, and --state names a folder for it.",
      "Leave one of the two out.",
    );
  }
  // Loaded here, not above: `--help` has to be quick.
  const { buildForBody } = await import("../lab/native-build.ts");
  const { createPrograms } = await import("../lab/programs.ts");
  const otherHub = await otherHubOf(options);
  const stateFolder = options.inMemory
    ? undefined
    : resolve(options.state ?? join(projectFolder, STATE_FOLDER));
  const programs = await createPrograms(options.body, projectFolder);
  return {
    app: options.imagePackage
      ? await packagedApp(options, projectFolder, programs)
      : await buildForBody(options.body, projectFolder, targetOf(options), compiler?.compile),
    ...{ programs, outputPort: options.outputPort, gdbPort: options.gdbPort },
    stateFolder,
    otherHub,
    unclaimed: options.unclaimed,
    ports: { mqtt: options.mqttPort, https: options.httpsPort, amqp: options.amqpPort },
    limits: limitsOf(options),
    apiPort: options.apiPort,
    deviceRestPort: options.deviceRestPort,
    discoveryPort: options.dcsPort,
    devices: options.devices,
    hubProcesses: options.hubProcesses,
    updateCheckMs: options.updateCheckHours && options.updateCheckHours * HOUR_MS,
    developers: await developersOf(options, projectFolder),
  };
}

/** A tier is counted; `--enforce-limits` refuses what is over it. */
function limitsOf({ tier, units, enforceLimits }: LabCommandOptions): LabOptions["limits"] {
  if (tier === undefined && !enforceLimits) return undefined;
  return { tier: tier ?? "S1", units: units ?? 1, enforce: enforceLimits ?? false };
}

/** Packages are signed with the key of the state folder, also for a lab that keeps no state itself. */
async function packagedApp(
  options: LabCommandOptions,
  projectFolder: string,
  programs: Programs | undefined,
) {
  const { bootableApp } = await import("../lab/boot-image.ts");
  const { readHardware } = await import("../lab/app-image.ts");
  const { trustStoreOf } = await import("./trust.ts");
  const stateFolder = resolve(options.state ?? join(projectFolder, STATE_FOLDER));
  const trusted = await trustStoreOf(stateFolder, options.trust);
  const { packagedInBody } = await import("../lab/programs.ts");
  const file = resolve(options.imagePackage ?? "");
  const app = bootableApp(file, readHardware(projectFolder), trusted);
  return packagedInBody(app, programs);
}

/** Asked at each package: the key may be made, by the first package, while the lab runs. */
async function developersOf(options: LabCommandOptions, projectFolder: string) {
  const { certificatesOf } = await import("./trust.ts");
  const { labTrustStore } = await import("../lab/signing-key.ts");
  const others = await certificatesOf(options.trust);
  const folder = resolve(options.state ?? join(projectFolder, STATE_FOLDER));
  labTrustStore(folder, others);
  return () => labTrustStore(folder, others);
}

async function otherHubOf({ hub, deviceId, cert, key }: LabCommandOptions) {
  const identity = [deviceId, cert, key];
  const given = identity.filter((option) => option !== undefined).length;
  if (hub === undefined && given === 0) return undefined;
  const { otherHubAt, readIdentity } = await import("../lab/other-hub.ts");
  if (hub && given === 0) return otherHubAt(hub);
  if (hub && deviceId && cert && key) return otherHubAt(hub, readIdentity({ deviceId, cert, key }));
  throw new LabError(
    "options-conflict",
    "--device-id, --cert and --key only work together, and with --hub.",
    "Give all four, or --hub alone: then the device shows the certificate of the lab's tenant.",
  );
}
