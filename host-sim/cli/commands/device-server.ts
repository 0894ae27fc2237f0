import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { BODIES, type Body } from "../../lab/bodies.ts";
import type { DeviceServer } from "../../lab/device-server.ts";
import { liveLine } from "../live.ts";
import { collect, version, wholeNumber } from "../options.ts";
import { certificatesOf } from "../trust.ts";

interface DeviceServerCommand {
  readonly address: string;
  readonly port: number;
  readonly dcsPort: number;
  readonly outputPort: number;
  readonly gdbPort: number;
  readonly body: Body;
  readonly certDir: string;
  readonly rebootMs: number;
  readonly state: string;
  readonly apiVersion?: string;
  readonly trust?: readonly string[];
}

/** The word for a state that is kept nowhere. */
const FRESH = "fresh";
const LONGEST_REBOOT_MS = 600_000;

export function register(program: Command): void {
  const port = wholeNumber(0, 65_535);
  program
    .command("device-server")
    .description("a virtual device of its own with its REST API, for tools that talk to a device")
    .option("--address <address>", "where it listens; a real device has 192.168.35.2", "127.0.0.1")
    .option("--port <port>", "a real device has 443; 0 takes any free one", port, 0)
    .option("--dcs-port <port>", "of the discovery service; tools dial 48938", port, 0)
    .option("--output-port <port>", "output of a debugged app; a real device has 2342", port, 2342)
    .option("--gdb-port <port>", "where gdb finds a debugged app", port, 2345)
    .addOption(
      new Option("--body <body>", "what runs apps; programs are kept below ./build/native")
        .choices(BODIES)
        .default("wasm"),
    )
    .option("--cert-dir <folder>", "gets device-ca.pem, which clients have to trust", ".")
    .option("--reboot-ms <ms>", "how long a restart takes", wholeNumber(0, LONGEST_REBOOT_MS), 2000)
    .option("--state <folder>", `where it keeps its state; "${FRESH}" keeps nothing`, FRESH)
    .option("--api-version <version>", "what it says of its REST API; 4.6.0 if absent", version)
    .option("--trust <certificate>", "take this signer's packages too, PEM; repeatable", collect)
    .action((options: DeviceServerCommand) => run(options));
}

async function run(options: DeviceServerCommand): Promise<void> {
  const { startDeviceServer } = await import("../../lab/device-server.ts");
  const { createPrograms } = await import("../../lab/programs.ts");
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  const { state, certDir, trust, body, ...rest } = options;
  const server = await startDeviceServer({
    ...rest,
    programs: await createPrograms(body, resolve(".")),
    certDir: resolve(certDir),
    trust: await certificatesOf(trust),
    stateFolder: state === FRESH ? undefined : resolve(state),
    onLine: (line) => write(liveLine({ type: "log", line }, false)),
  });
  write(describe(server));
  await ended();
  await server.stop();
}

function describe({ os, rest, discovery, caFile, recovery }: DeviceServer): string {
  const rows = [
    ["device", os.deviceId],
    ["REST", `https://${rest.host}:${rest.port}`],
    ["discovery", `http://${discovery.host}:${discovery.port}`],
    ["trust", caFile],
    ["recovery", recovery],
  ];
  return `${rows.map(([name = "", text]) => `  ${name.padEnd(11)}${text}`).join("\n")}\n`;
}

function ended(): Promise<void> {
  return new Promise((resolveEnd) => {
    process.once("SIGINT", () => resolveEnd());
    process.once("SIGTERM", () => resolveEnd());
  });
}
