import { compileApp } from "../../host-sim/compiler/compile.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { CA, HUB_NAME, startHub } from "../hub/support.ts";
import { deployApp, FIELD_TEST, makeDevice } from "./device.ts";
import { startService } from "./support.ts";

const DAYS = 30;
const DAY_MS = 86_400_000;
export const TELEMETRY_SECONDS = 600;

/**
 * Thirty days of a device with hub and Security Service, all over TLS: a certificate and a look for
 * updates each day, telemetry every ten minutes, and an app over the air in the middle.
 * @param daily is told the end of each day
 */
export async function liveThirtyDays(daily: (lab: Month, day: number) => void = () => {}) {
  const lab = await startMonth();
  const { device, service, deploy } = lab;
  try {
    await deploy("v1");
    await device.device.begin();
    await device.settle();
    for (let day = 1; day <= DAYS; day++) {
      if (day === DAYS / 2) await deploy("v2");
      await device.run(DAY_MS);
      daily(lab, day);
    }
    return { log: device.log() };
  } finally {
    await device.stop();
    await lab.hub.stop();
    await service.stop();
  }
}

export type Month = Awaited<ReturnType<typeof startMonth>>;

async function startMonth() {
  const service = await startService();
  const { tenantId } = service;
  const hub = await startHub(undefined, { clock: service.clock });
  const route = { host: "127.0.0.1", port: hub.port, ca: CA };
  const device = makeDevice(service, {
    group: FIELD_TEST,
    routes: [[`${HUB_NAME}:8883`, route]],
  });
  for (const { pem, thumbprint } of service.service.certificates(tenantId)) {
    const name = thumbprint.slice(0, 8);
    hub.hub.certificates.add(name, pem);
    const code = hub.hub.certificates.generateVerificationCode(name);
    const proof = service.service.proofOfPossession(tenantId, code, thumbprint);
    hub.hub.certificates.verify(name, proof);
  }
  const { deviceId } = device;
  hub.hub.devices.create({ deviceId, authentication: { type: "certificateAuthority" } });
  hub.hub.twins.patch(deviceId, { desired: { telemetryIntervalSeconds: TELEMETRY_SECONDS } });
  const { wasm } = await compileApp({ projectFolder: packageFolder(), target: "release" });
  return {
    ...{ service, hub, device },
    async deploy(version: string): Promise<void> {
      deployApp(service, {
        wasm,
        args: ["--Hostname", HUB_NAME, version],
        capabilities: {
          Gpio: [8, 12, 13],
          AllowedConnections: [HUB_NAME],
          DeviceAuthentication: tenantId,
          MutableStorage: { SizeKB: 16 },
        },
      });
    },
  };
}
