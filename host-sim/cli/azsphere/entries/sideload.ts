import { basename } from "node:path";
import { RealClock, sleep } from "../../../clock/index.ts";
import { LabError } from "../../../errors.ts";
import { readBytes } from "../../../lab/package-app.ts";
import type { Device } from "../device.ts";
import { isRefusal } from "../device-errors.ts";
import { usage } from "../errors.ts";
import { type Context, type Entry, type Given, list, optional, text } from "../table.ts";
import { waitForRestart } from "./attached.ts";
import { applicationsOf, type Component, IMAGE_KINDS, imagesOf } from "./images.ts";

const TIMEOUT_NAME = "deployment-timeout";
const DEFAULT_TIMEOUT_SECONDS = 60;
const POLL_MS = 50;
const INSTALL_FAILED = 7_340_056;
const NOT_TRUSTED = 7_340_047;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A component id in the device's letter case. @throws LabError azsphere-usage */
export function componentId(value: string): string {
  if (GUID.test(value)) return value.toLowerCase();
  throw usage(
    `'${value}' is not a valid component ID.`,
    "It is a GUID; `azsphere device image list-installed` prints those of the device.",
  );
}

async function deploy(context: Context, given: Given) {
  const file = text(given, "imagePackage");
  const bytes = readBytes(file);
  const { readImage } = await import("../../../imagepackage/index.ts");
  const image = readImage(bytes);
  const device = await context.device(given);
  if (!given.force) await refuseSameName(device, image.name, image.componentId);
  const name = basename(file);
  context.say(`Deploying '${name}' to the attached device.`);
  const appControlMode = given.manualStart ? "Manual" : "Auto";
  await install(device, bytes, { appControlMode });
  const done = `Image package '${name}' has been deployed to the attached device.`;
  if (image.imageType !== IMAGE_KINDS.application) return { text: done };
  if (given.manualStart) {
    return { text: [done, await manualText(context, device, image.componentId)] };
  }
  await waitForState(context, device, image.componentId, "running");
  return { text: done };
}

/** An application whose image is on the device already goes on running. */
async function manualText(context: Context, device: Device, component: string): Promise<string> {
  const { state } = await device.get<{ state: string }>(`/app/status/${component}`);
  if (state !== "stopped") {
    return `The same image was on the device already; the application is ${state}.`;
  }
  const how = `Use '${context.program} device app start' to start it.`;
  return `The application was not automatically started. ${how}`;
}

/** Stages and installs a package; waits for the restart that some need. */
export async function install(device: Device, bytes: Uint8Array, mode?: object): Promise<void> {
  try {
    await stageAndInstall(device, bytes, mode);
  } catch (error) {
    if (!isRefusal(error, INSTALL_FAILED) && !isRefusal(error, NOT_TRUSTED)) throw error;
    throw new LabError(
      "device-refused",
      "Could not deploy application to device: Installation failed; check if application " +
        "development capability is enabled ('azsphere device enable-development'). " +
        (error as LabError).message,
      "A package has to be signed by someone whom the device trusts; see `image-package show`.",
    );
  }
}

/** The same, with what the device refuses as it says it. */
export async function stageAndInstall(
  device: Device,
  bytes: Uint8Array,
  mode?: object,
): Promise<void> {
  await device.upload("/update/stage", bytes);
  const path = "/update/install";
  const answer = await device.send<{ restartingSystem?: boolean }>("POST", path, mode);
  if (answer.restartingSystem) await waitForRestart(device);
}

async function refuseSameName(device: Device, name: string, componentId: string): Promise<void> {
  const same = (await applicationsOf(device)).find(
    (app) => app.name === name && app.uid.toLowerCase() !== componentId.toLowerCase(),
  );
  if (!same) return;
  throw new LabError(
    "name-taken",
    `A component with the same name ('${name}') already exists on the device, as ${same.uid}.`,
    "Delete that one, or deploy with --force.",
  );
}

async function waitForState(context: Context, device: Device, component: string, wanted: string) {
  const clock = new RealClock();
  const seconds = Number(context.settings.get(TIMEOUT_NAME) ?? DEFAULT_TIMEOUT_SECONDS);
  const deadline = clock.monotonic() + seconds * 1000;
  for (;;) {
    const { state } = await device.get<{ state: string }>(`/app/status/${component}`);
    if (state === wanted) return;
    if (clock.monotonic() > deadline) {
      throw new LabError(
        "deployment-timeout",
        `The application is ${state} and not ${wanted} after ${seconds} s.`,
        "`device sideload set-deployment-timeout` changes how long is waited.",
      );
    }
    await sleep(clock, POLL_MS);
  }
}

/** Deletes applications; returns their ids. The debug server stays. */
export async function deleteApplications(
  device: Device,
  wanted: (app: Component) => boolean,
): Promise<string[]> {
  const apps = (await applicationsOf(device)).filter(wanted);
  for (const { uid } of apps) await device.send("DELETE", `/app/image/${uid}`);
  return apps.map(({ uid }) => uid);
}

async function remove(context: Context, given: Given) {
  const only = optional(given, "componentId");
  const except = list(given, "exceptComponentIds").map(componentId);
  if (only !== undefined && except.length > 0) {
    throw usage(
      "--component-id and --except-component-ids exclude each other.",
      "Leave one of the two out.",
    );
  }
  const id = only === undefined ? undefined : componentId(only);
  const device = await context.device(given);
  if (id !== undefined) {
    const known = (await imagesOf(device)).some(({ uid }) => uid.toLowerCase() === id);
    if (!known) return { text: `Component '${id}' is not on the device.` };
    const path = `/app/image/${id}`;
    const { restartingSystem } = await device.send<{ restartingSystem?: true }>("DELETE", path);
    if (restartingSystem) await waitForRestart(device);
    return { text: `Component '${id}' deleted.` };
  }
  const gone = await deleteApplications(device, ({ uid }) => !except.includes(uid.toLowerCase()));
  if (gone.length === 0) return { text: "No applications to delete." };
  return { text: gone.map((each) => `Component '${each}' deleted.`) };
}

/** Applications that come by cable. */
export const sideloadEntries: readonly Entry[] = [
  {
    words: "device sideload deploy",
    summary: "install an image package on the attached device and start the application",
    options: {
      "!-p, --image-package --imagepackage <file>": "the package",
      "-m, --manual-start --manualstart": "do not start the application",
      "--force": "also beside another component of the same name",
    },
    needs: ["device"],
    examples: [
      "--image-package app.imagepackage",
      "--image-package app.imagepackage --manual-start",
    ],
    run: deploy,
  },
  {
    words: "device sideload delete",
    summary: "delete one application, or all",
    options: {
      "-i, --component-id --componentid <id>": "only this one",
      "-e, --except-component-ids <ids...>": "all beside these",
    },
    needs: ["device"],
    examples: ["", "--component-id 2f074b0f-d99d-4692-82d9-ef93a7d6463c"],
    run: remove,
  },
  {
    words: "device sideload show-deployment-timeout",
    summary: "print how long a deployment is waited for",
    examples: [""],
    run: ({ settings }) => {
      const seconds = Number(settings.get(TIMEOUT_NAME) ?? DEFAULT_TIMEOUT_SECONDS);
      return {
        value: { deploymentTimeoutInSeconds: seconds },
        text: `The deployment timeout is ${seconds} seconds.`,
      };
    },
  },
  {
    words: "device sideload set-deployment-timeout",
    summary: "say how long a deployment is waited for",
    options: { "!-v, --value <seconds>": "1 to 3600" },
    examples: ["--value 90"],
    run({ settings }, given) {
      const value = text(given, "value");
      const seconds = Number(value);
      if (!/^\d{1,4}$/.test(value) || seconds < 1 || seconds > 3600) {
        throw usage(`--value is '${value}'.`, "Give a whole number of seconds from 1 to 3600.");
      }
      settings.set(TIMEOUT_NAME, String(seconds));
      return { text: `The deployment timeout is ${seconds} seconds.` };
    },
  },
];
