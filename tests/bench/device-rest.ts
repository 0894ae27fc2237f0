import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { createTrustStore, resolveManifest } from "../../host-sim/imagepackage/index.ts";
import { readHardware, readManifest } from "../../host-sim/lab/app-image.ts";
import type { LabDescription } from "../../host-sim/lab/description.ts";
import { startLab } from "../../host-sim/lab.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import type { SigningKey } from "../../host-sim/pki/index.ts";
import { newSigningKey } from "../../host-sim/security-service/index.ts";
import { compileFixture } from "../assembly/support.ts";
import { makePackage } from "../security-service/support.ts";

/** Reads of each subject, as tools make them. */
const READS = [
  ...["/status", "/osversion", "/device/security_state", "/device/capabilities", "/images"],
  ...["/net/interfaces", "/net/status", "/wifi/config/networks", "/wifi/interface", "/wifi/scan"],
  ...["/certstore/certs", "/certstore/space", "/log"],
];
const ROUNDS = 25;
const SIDELOADS = 9;
const PACKAGE_BYTES = 200 * 1024;

/** @returns median milliseconds of a read and of a sideload until the new app runs */
export async function deviceRestTimes(): Promise<{ read: number; sideload: number }> {
  const signer = newSigningKey("a developer", 0);
  const { wasm } = await compileFixture("updates", "release");
  const folder = packageFolder();
  const hardware = readHardware(folder);
  const manifest = resolveManifest(readManifest(folder), hardware);
  const heard = new Map<string, () => void>();
  const { certificate } = signer;
  const lab = await startLab({
    app: { manifest, hardware, wasm, file: "" },
    developers: () => createTrustStore([{ name: "a developer", certificate }]),
    onEvent: (event) => {
      if (event.type === "log") heard.get(event.line.text)?.();
    },
  });
  const { call, close } = client(lab.description);
  try {
    const reads: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const path of READS) reads.push(await timed(() => call("GET", path)));
    }
    const sideloads: number[] = [];
    for (let edition = 0; edition < SIDELOADS; edition++) {
      const bytes = packageOf(signer, wasm, `edition${edition}`);
      const runs = new Promise<void>((go) => heard.set(`edition${edition} started`, go));
      const sideload = async () => {
        await call("PUT", "/update/stage", bytes);
        await call("POST", "/update/install", Buffer.from("{}"));
        await runs;
      };
      sideloads.push(await timed(sideload));
    }
    return { read: median(reads), sideload: median(sideloads) };
  } finally {
    close();
    await lab.stop();
  }
}

/** One client with one connection, as the command line's. */
function client({ deviceRest }: LabDescription) {
  const { address: host, port, ca } = deviceRest;
  const agent = new Agent({ ca: readFileSync(ca), keepAlive: true, maxSockets: 1 });
  const call = (method: string, path: string, body?: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      const sent = request({ host, port, agent, method, path }, (response) => {
        const { statusCode = 0 } = response;
        response.resume();
        response.on("end", () =>
          statusCode < 300 ? resolve() : reject(new Error(`${method} ${path}: ${statusCode}`)),
        );
      });
      sent.on("error", reject);
      sent.end(body);
    });
  return { call, close: () => agent.destroy() };
}

/** An app of the size that is promised; what is not wasm does not compress. */
function packageOf(signer: SigningKey, wasm: Uint8Array, version: string): Buffer {
  const program = randomBytes(PACKAGE_BYTES - wasm.length);
  const args = [version, "deaf"];
  return makePackage({ signer, wasm: newCode(wasm), program, args, imageId: randomUUID() });
}

/** The same code with a custom section of its own: nobody has compiled it yet. */
function newCode(wasm: Uint8Array): Uint8Array {
  const name = randomUUID();
  return Buffer.concat([wasm, Uint8Array.of(0, name.length + 1, name.length), Buffer.from(name)]);
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
