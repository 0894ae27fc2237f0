import { join } from "node:path";
import { connectAsync } from "mqtt";
import { compileApp } from "../../host-sim/compiler/compile.ts";
import type { Hub } from "../../host-sim/hub/hub.ts";
import {
  readHardwareDefinition,
  resolveManifest,
} from "../../host-sim/imagepackage/hardware-definition.ts";
import { readManifest } from "../../host-sim/lab/app-image.ts";
import { startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { generateKeyPair, privateKeyPem } from "../../host-sim/pki/index.ts";
import { answerChallenge, manufactureDevice } from "../../host-sim/security-service/index.ts";

/** The SDK keeps so many messages under way; the bare client gets the same. */
const IN_FLIGHT = 32;
const WARM_UP_MS = 2_000;
const MEASURE_MS = 8_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Messages that the hub takes a second, over some seconds. */
async function rate(hub: Hub): Promise<number> {
  await pause(WARM_UP_MS);
  const before = hub.events.nextSequenceNumber;
  const started = performance.now();
  await pause(MEASURE_MS);
  const seconds = (performance.now() - started) / 1000;
  return Math.round((hub.events.nextSequenceNumber - before) / seconds);
}

/** App → mqtt over TLS → hub → acknowledgement → app. Device and hub share one process, as in `start`. */
export async function throughApp(stateFolder: string): Promise<number> {
  const lab = await startLab({ app: await benchApp(), stateFolder });
  try {
    return await rate(lab.hub);
  } finally {
    await lab.stop();
  }
}

/** The same loop with the bare client, the same hub, in one process too. */
export async function throughBareClient(stateFolder: string): Promise<number> {
  const lab = await startLab({ app: await benchApp("no-hub"), stateFolder });
  const { deviceId, attestationKey } = manufactureDevice();
  lab.service.claim(lab.description.securityService.tenantId, deviceId);
  lab.hub.devices.create({ deviceId, authentication: { type: "certificateAuthority" } });
  const { publicKey, privateKey } = generateKeyPair();
  const nonce = lab.service.nonce();
  const signature = answerChallenge(attestationKey, nonce, publicKey);
  const { certificate } = lab.service.attest({ deviceId, nonce, publicKey, signature });
  const { hostName, address, mqttPort } = lab.description.hub;
  const { readFileSync } = await import("node:fs");
  const client = await connectAsync({
    protocol: "mqtts",
    host: address,
    port: mqttPort,
    servername: hostName,
    ca: readFileSync(lab.description.caFile),
    key: privateKeyPem(privateKey),
    cert: certificate,
    clientId: deviceId,
    username: `${hostName}/${deviceId}/?api-version=2021-04-12`,
    protocolVersion: 4,
  });
  let count = 0;
  let running = true;
  const topic = `devices/${deviceId}/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8`;
  const send = () => {
    if (!running) return;
    const body = JSON.stringify({ count: count++, timestamp: new Date().toISOString() });
    client.publish(topic, body, { qos: 1 }, send);
  };
  for (let slot = 0; slot < IN_FLIGHT; slot++) send();
  try {
    return await rate(lab.hub);
  } finally {
    running = false;
    await client.endAsync(true);
    await lab.stop();
  }
}

/** @param withoutHub leaves the app idle */
async function benchApp(withoutHub?: "no-hub") {
  const projectFolder = packageFolder();
  const entry = `tests/fixtures/assembly/${withoutHub ? "json" : "throughput"}.ts`;
  const compiled = await compileApp({ projectFolder, entry, target: "release" });
  const hardware = readHardwareDefinition(
    join(projectFolder, "hardware-definitions/mt3620_rdb.json"),
  );
  const manifest = resolveManifest(readManifest(projectFolder), hardware);
  return { ...compiled, manifest, hardware, file: "" };
}
