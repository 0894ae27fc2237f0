import { SteppedClock } from "../../host-sim/clock/index.ts";
import { createBoard } from "../../host-sim/device/board.ts";
import { createDeviceAuth } from "../../host-sim/device/device-auth.ts";
import { DPS_HOST } from "../../host-sim/device/hub-client/provision.ts";
import { createNetwork, type Link, type Route } from "../../host-sim/device/network.ts";
import { createSphereOs } from "../../host-sim/device/sphere-os.ts";
import { memoryStorage } from "../../host-sim/device/storage.ts";
import { createUpdateEvents } from "../../host-sim/device/updates/events.ts";
import { parseManifest } from "../../host-sim/imagepackage/manifest.ts";
import { enrol } from "../../host-sim/lab/enrolment.ts";
import { createLogger, type LogLine } from "../../host-sim/log.ts";
import {
  answerChallenge,
  createSecurityService,
  manufactureDevice,
} from "../../host-sim/security-service/index.ts";
import { openMemoryStore } from "../../host-sim/store/index.ts";
import { CA, HUB_NAME, startHub } from "../hub/support.ts";

export const TENANT = "11111111-2222-3333-4444-555555555555";
export const BUTTON_A = 12;
export const BUTTON_B = 13;
export const LED = 8;

/** Everything that the thermometer needs. */
export const CAPABILITIES = {
  Gpio: [BUTTON_A, BUTTON_B, LED],
  AllowedConnections: [HUB_NAME],
  DeviceAuthentication: TENANT,
  MutableStorage: { SizeKB: 8 },
};

export function manifest(
  args: readonly string[] = ["--Hostname", HUB_NAME],
  capabilities: object = CAPABILITIES,
) {
  return parseManifest(
    JSON.stringify({
      SchemaVersion: 1,
      Name: "TestApp",
      ComponentId: "99999999-8888-7777-6666-555555555555",
      EntryPoint: "/bin/app",
      CmdArgs: args,
      Capabilities: capabilities,
    }),
  );
}

/** A device on a stepped clock, with a hub behind real TLS when `withHub` is set. */
export async function startDevice(
  options: { readonly withHub?: boolean; claim?: boolean; readonly link?: Link } = {},
) {
  const lab = options.withHub ? await startHub() : undefined;
  const clock = lab?.clock ?? new SteppedClock(Date.UTC(2026, 5, 1));
  const lines: LogLine[] = [];
  const logger = createLogger(
    "device",
    () => clock.now(),
    (line) => lines.push(line),
  );
  const service = createSecurityService({ store: openMemoryStore(), clock, logger });
  const { deviceId, attestationKey } = manufactureDevice();
  if (lab) {
    const { hub, dps } = lab;
    enrol({
      service,
      hub,
      dps,
      deviceIds: [deviceId],
      tenantId: TENANT,
      claim: options.claim !== false,
    });
  } else {
    service.createTenant("test", TENANT);
    if (options.claim !== false) service.claim(TENANT, deviceId);
  }
  const routes = new Map<string, Route>();
  const route = lab && { host: "127.0.0.1", port: lab.port, ca: CA };
  if (route) for (const name of [HUB_NAME, DPS_HOST]) routes.set(`${name}:8883`, route);
  const network = createNetwork({ routes, link: options.link });
  const deviceAuth = createDeviceAuth({
    clock,
    logger,
    network,
    attest: async (publicKey) => {
      const nonce = service.nonce();
      const signature = answerChallenge(attestationKey, nonce, publicKey);
      return service.attest({ deviceId, nonce, publicKey, signature });
    },
  });
  const storage = memoryStorage();
  const pins = new Map([
    ["BUTTON_A", BUTTON_A],
    ["BUTTON_B", BUTTON_B],
    ["LED_STATUS", LED],
  ]);
  const board = createBoard("test board", [...pins.values(), 4], pins);
  const updates = createUpdateEvents();
  const os = createSphereOs({
    ...{ clock, logger, deviceId, board, network, deviceAuth, updates },
    storage: () => storage,
  });
  os.start();

  /** Lets time pass in steps of 10 ms, and sockets work, until the condition holds. */
  async function until(condition: () => unknown): Promise<void> {
    while (!condition()) {
      clock.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  return {
    ...{ os, clock, board, network, deviceAuth, service, storage, deviceId, lab, lines, until },
    /** Where an updater would speak to the app. */
    updates,
    /** `name:port` in lower case → where it is; more may be added. */
    routes,
    /** The texts of log lines, newest last. */
    log: () => lines.map((line) => line.text),
    telemetry: () =>
      [...(lab?.hub.events.read() ?? [])].map((message) => ({
        body: JSON.parse(Buffer.from(message.body, "base64").toString("utf8")),
        properties: message.properties,
      })),
    async stop() {
      await os.stop();
      await lab?.stop();
    },
  };
}

export type TestDevice = Awaited<ReturnType<typeof startDevice>>;
