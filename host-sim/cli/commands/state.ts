import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { LabError } from "../../errors.ts";
import { findStateFolder, lockStateFolder, readLocator } from "../../lab/state-folder.ts";
import { callLab } from "../context.ts";

interface StateOption {
  readonly state?: string;
}

/** What a lab keeps; the lock and the locator belong to a running process and stay behind. */
const KEPT = ["store", "storage", "ca.pem", "device-ca.pem", "signing"];

export function register(program: Command): void {
  const stateOption = [
    "--state <folder>",
    "the state folder; the nearest .spherule when absent",
  ] as const;
  program
    .command("export <folder>")
    .description("copy the lab's state into a new folder; the lab may run")
    .option(...stateOption)
    .action((folder: string, options: StateOption) => exportState(resolve(folder), options));
  program
    .command("import <folder>")
    .description("take over a state that was exported; the lab must be stopped")
    .option(...stateOption)
    .action((folder: string, options: StateOption) => importState(resolve(folder), options));
  program
    .command("reset")
    .description("forget the lab's state: device, certificates, twins, messages")
    .option(...stateOption)
    .action((options: StateOption) => reset(options));
}

const stateFolder = (options: StateOption) =>
  options.state === undefined ? findStateFolder() : resolve(options.state);

async function exportState(target: string, options: StateOption): Promise<void> {
  const source = stateFolder(options);
  requireEmpty(target);
  const running = readLocator(source);
  if (running) {
    const lab = { api: running.api } as Parameters<typeof callLab>[0];
    await callLab(lab, "POST", "/export", { folder: target });
  } else {
    requireState(source);
    const unlock = lockStateFolder(source);
    try {
      copyState(source, target);
    } finally {
      unlock();
    }
  }
  process.stdout.write(`The lab's state is in ${target}.\n`);
}

function importState(source: string, options: StateOption): void {
  requireState(source);
  const target = stateFolder(options);
  if (existsSync(join(target, "store"))) {
    throw new LabError(
      "state-exists",
      `${target} holds a state already.`,
      "Export it if you need it, type `spherule reset`, then import again.",
    );
  }
  const unlock = lockStateFolder(target);
  try {
    copyState(source, target);
  } finally {
    unlock();
  }
  process.stdout.write(`${target} has the state of ${source}.\n`);
}

function reset(options: StateOption): void {
  const folder = stateFolder(options);
  if (!existsSync(folder)) {
    process.stdout.write(`There is no state in ${folder}.\n`);
    return;
  }
  const unlock = lockStateFolder(folder);
  for (const name of KEPT) rmSync(join(folder, name), { recursive: true, force: true });
  unlock();
  process.stdout.write(
    `${folder} is empty; the next start makes a new device and new certificates.\n`,
  );
}

function copyState(source: string, target: string): void {
  mkdirSync(target, { recursive: true });
  for (const name of KEPT) {
    if (existsSync(join(source, name))) {
      cpSync(join(source, name), join(target, name), { recursive: true });
    }
  }
}

function requireState(folder: string): void {
  if (existsSync(join(folder, "store"))) return;
  throw new LabError(
    "state-missing",
    `${folder} holds no state of a lab.`,
    "Name a folder that `spherule export` wrote, or start the lab once.",
  );
}

function requireEmpty(folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).length === 0) return;
  throw new LabError(
    "folder-not-empty",
    `${folder} is not empty.`,
    "Name a folder that does not exist yet.",
  );
}
