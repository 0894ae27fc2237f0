import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { SphereOs } from "../device/sphere-os.ts";
import type { OsComponent, OsRelease } from "../device/system/os-release.ts";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";

export interface RecoveryOptions {
  readonly os: SphereOs;
  readonly logger: Logger;
  /** The newest release, which a recovery puts on the device. */
  readonly newest: () => OsRelease;
  /** All images of that release are written; it is the installed one from now on. */
  readonly installed?: (release: OsRelease) => void;
}

interface Question {
  readonly command?: string;
  readonly componentId?: string;
  /** Of an image that takes the place of the release's, with its length. */
  readonly imageId?: string;
  readonly bytes?: number;
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The boot loader of a device, which a recovery speaks to: a Unix socket that only this user can
 * open. A line of JSON each way: `begin` → device id, release and images, `erase`, `write` an image,
 * the release's or another one of its component, `reboot`.
 * Once it was erased the device stays dark until all images are written.
 */
export function createRecovery(options: RecoveryOptions) {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let folder: string | undefined;
  let busy = false;

  function serve(socket: Socket): void {
    sockets.add(socket);
    const session = createSession(options);
    let mine = false;
    /** With the first question: a session that has just ended may not have been noticed before. */
    const begin = () => {
      if (busy) return mine;
      busy = true;
      mine = true;
      return mine;
    };
    const leave = () => {
      if (mine) busy = false;
      mine = false;
    };
    let turn: Promise<unknown> = Promise.resolve();
    createInterface({ input: socket }).on("line", (line) => {
      turn = turn.then(async () => {
        const answer = begin()
          ? await answerTo(session, line)
          : { error: "another recovery goes on" };
        if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
      });
    });
    socket.on("error", () => socket.destroy());
    // With the end already: who ended and then connects again must find the boot loader free.
    socket.on("end", leave);
    socket.on("close", () => {
      sockets.delete(socket);
      leave();
    });
  }

  return {
    /** @returns the socket's path */
    async start(): Promise<string> {
      // Paths of sockets have little room, and state folders may have long names.
      folder = mkdtempSync(join(tmpdir(), "spherule-device-"));
      const path = join(folder, "recovery");
      const listening = createServer(serve);
      server = listening;
      await new Promise<void>((resolve, reject) => {
        listening.once("error", reject);
        listening.listen(path, resolve);
      });
      chmodSync(path, 0o600);
      return path;
    },
    async stop(): Promise<void> {
      const closing = server;
      server = undefined;
      const closed = closing && new Promise((resolve) => closing.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      folder = undefined;
    },
  };
}

type Session = ReturnType<typeof createSession>;

async function answerTo(session: Session, line: string): Promise<object> {
  try {
    const question = JSON.parse(line) as Question | null;
    const name = question?.command ?? "";
    if (!question || !Object.hasOwn(session, name)) return { error: "there is no such command" };
    return await session[name as keyof Session](question);
  } catch (error) {
    return { error: messageOf(error) };
  }
}

/** One recovery, from the first command to the restart. */
function createSession({ os, logger, newest, installed }: RecoveryOptions) {
  let release: OsRelease | undefined;
  const missing = new Set<string>();
  const written = new Map<string, OsComponent>();
  let erased = false;
  return {
    begin() {
      release = newest();
      const { version, components } = release;
      const images = components.map(({ name, componentId, bytes }) => {
        return { name, componentId, bytes };
      });
      return { release: version, images, deviceId: os.deviceId };
    },
    async erase() {
      if (!release) throw new Error("nothing was begun");
      logger.warn("the flash is erased, for a recovery");
      await os.erase();
      erased = true;
      for (const { componentId } of release.components) missing.add(componentId);
      written.clear();
      return {};
    },
    write({ componentId = "", imageId, bytes }: Question) {
      if (!erased) throw new Error("the flash was not erased");
      const known = release?.components.find((each) => each.componentId === componentId);
      if (!known || !missing.has(componentId)) {
        throw new Error(`no image ${componentId} is expected`);
      }
      const other = imageId === undefined ? {} : checkedImage(imageId, bytes);
      written.set(componentId, { ...known, ...other });
      missing.delete(componentId);
      return {};
    },
    reboot() {
      if (!release || !erased) throw new Error("nothing was written");
      if (missing.size > 0) throw new Error(`${missing.size} images are missing`);
      erased = false;
      installed?.({ version: release.version, components: [...written.values()] });
      os.powerUp();
      logger.info(`recovered with ${release.version}`);
      return { deviceId: os.deviceId };
    },
  };
}

/** @throws Error for what cannot be an image */
function checkedImage(imageId: string, bytes: number | undefined) {
  if (!GUID.test(imageId)) throw new Error(`${imageId} is no id of an image`);
  if (!Number.isInteger(bytes)) throw new Error(`the image ${imageId} has no length`);
  return { imageId, bytes: Number(bytes) };
}
