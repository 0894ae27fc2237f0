import { resolve } from "node:path";
import type { Command } from "commander";
import { type CompilerProcess, createCompilerProcess } from "../../compiler/process.ts";
import { press } from "../../device/board.ts";
import type { BuiltApp } from "../../lab/app-image.ts";
import type { Lab } from "../../lab.ts";
import { watchKeys } from "../keys.ts";
import { type LabCommandOptions, labOptions, targetOf, withLabOptions } from "../lab-options.ts";
import { liveLine } from "../live.ts";
import { watchProject } from "../watch.ts";

interface StartOptions extends LabCommandOptions {
  readonly watch: boolean;
}

export function register(program: Command): void {
  withLabOptions(
    program
      .command("start")
      .description("start the lab: device, hub and Security Service; the app runs and is watched"),
  )
    .option("--no-watch", "do not compile again when a source changes")
    .action((options: StartOptions) => run(options));
}

async function run(options: StartOptions): Promise<void> {
  const { startLab } = await import("../../lab.ts");
  const { endLabWhenAppIsStuck } = await import("../stuck-app.ts");
  endLabWhenAppIsStuck();
  const compiler = createCompilerProcess();
  try {
    await runLab(options, compiler, startLab);
  } finally {
    compiler.stop();
  }
}

async function runLab(
  options: StartOptions,
  compiler: CompilerProcess,
  startLab: typeof import("../../lab.ts").startLab,
): Promise<void> {
  const { colour, write } = terminal();
  const held: string[] = [];
  let ready = false;
  // Lines of the start come after the block that says where everything is.
  const show = (line: string) => (ready ? write(line) : void held.push(line));
  const since = Date.now();
  const prepared = await labOptions(options, compiler);
  const lab = await startLab({ ...prepared, onEvent: (event) => show(liveLine(event, colour)) });
  write(describe(lab, prepared.app));
  ready = true;
  for (const line of held) write(line);
  // A package does not change when a source does.
  const watched = options.watch && options.imagePackage === undefined;
  const stopWatching = watched
    ? watchProject({
        projectFolder: resolve(options.project),
        target: targetOf(options),
        body: options.body,
        compiler,
        built: (app) => lab.install(app),
        report: write,
        since,
      })
    : () => {};
  await ended(lab, write);
  stopWatching();
  await lab.stop();
}

function terminal() {
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  return { colour, write: (line: string) => void process.stdout.write(`${line}\n`) };
}

/** Where everything is. */
export function describe({ description, device, devices, otherHub }: Lab, app: BuiltApp): string {
  const { hub, api, stateFolder, caFile, version, deviceRest, securityService } = description;
  const others = devices.length > 1 ? `, the first of ${devices.length}` : "";
  const rows = [
    ["device", `${device.deviceId.slice(0, 12)}… on a virtual ${device.board.name}${others}`],
    ["app", `${app.manifest.Name}, ${Math.round(app.wasm.length / 1024)} KB of wasm`],
    [
      "hub",
      otherHub
        ? `${otherHub} is elsewhere; what goes there is not shown here`
        : `${hub.hostName} is ${hub.address}:${hub.mqttPort}, MQTT over mutual TLS`,
    ],
    ["service", `the Security Service is ${securityService.url}`],
    ["board", `the device's REST API is https://${deviceRest.address}:${deviceRest.port}`],
    ["trust", caFile],
    ["API", api],
    ["state", stateFolder ?? "in memory"],
    ["keys", "b button B, a button A, r restart the app, n network off and on, c clear, q quit"],
  ];
  const lines = rows.map(([name, text]) => `  ${name?.padEnd(9)}${text}`);
  return `Spherule ${version}\n\n${lines.join("\n")}\n`;
}

/** Waits for `q`, Ctrl-C or SIGTERM; meanwhile keys drive the device. */
function ended(lab: Lab, write: (line: string) => void): Promise<void> {
  const { clock } = lab;
  const button = (name: string) => {
    const { device } = lab;
    const pin = device.board.find(name);
    if (pin === undefined) write(`${device.board.name} has no ${name}`);
    else void press(device.board, clock, pin);
  };
  return new Promise((resolveEnd) => {
    const stopKeys = watchKeys({
      a: () => button("BUTTON_A"),
      b: () => button("BUTTON_B"),
      r: () => void lab.device.startApp(),
      n: () => {
        const { network } = lab.device;
        network.setUp(!network.up);
        write(`the network is ${network.up ? "up" : "down"}`);
      },
      c: () => process.stdout.write("\u001b[2J\u001b[3J\u001b[H"),
      q: end,
    });
    function end(): void {
      stopKeys();
      process.removeListener("SIGINT", end);
      process.removeListener("SIGTERM", end);
      resolveEnd();
    }
    process.on("SIGINT", end);
    process.on("SIGTERM", end);
  });
}
