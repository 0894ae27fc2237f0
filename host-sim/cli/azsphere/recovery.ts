import { connect } from "node:net";
import { createInterface } from "node:readline";
import { LabError } from "../../errors.ts";

export interface RecoveryImage {
  readonly name: string;
  readonly componentId: string;
  readonly bytes: number;
  /** Of an image that takes the place of the release's. */
  readonly imageId?: string;
}

/** The boot loader of a device, over its private socket. */
export interface BootLoader {
  /** Those of the newest release; there after `begin`. */
  readonly images: readonly RecoveryImage[];
  readonly release: string;
  /** @returns the device's id */
  begin(): Promise<string>;
  erase(): Promise<void>;
  write(image: RecoveryImage): Promise<void>;
  /** @returns the device's id */
  reboot(): Promise<string>;
  close(): void;
}

interface Answer {
  readonly error?: string;
  readonly release?: string;
  readonly images?: readonly RecoveryImage[];
  readonly deviceId?: string;
}

/** @param path a Unix socket @throws LabError recovery-unavailable */
export async function openBootLoader(path: string): Promise<BootLoader> {
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", () => resolve());
    socket.once("error", (error) => reject(unavailable(path, error.message)));
  });
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  socket.on("error", () => socket.destroy());

  async function ask(question: object): Promise<Answer> {
    socket.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await lines.next();
    if (done) throw unavailable(path, "it ended the connection");
    const answer = JSON.parse(value) as Answer;
    if (answer.error !== undefined) throw unavailable(path, answer.error);
    return answer;
  }

  let images: readonly RecoveryImage[] = [];
  let release = "";
  return {
    get images() {
      return images;
    },
    get release() {
      return release;
    },
    async begin() {
      const answer = await ask({ command: "begin" });
      ({ images = [], release = "" } = answer);
      return answer.deviceId ?? "";
    },
    async erase() {
      await ask({ command: "erase" });
    },
    async write({ componentId, imageId, bytes }) {
      const other = imageId === undefined ? {} : { imageId, bytes };
      await ask({ command: "write", componentId, ...other });
    },
    async reboot() {
      return (await ask({ command: "reboot" })).deviceId ?? "";
    },
    close: () => void socket.destroy(),
  };
}

function unavailable(path: string, why: string): LabError {
  return new LabError(
    "recovery-unavailable",
    `The boot loader of the device at ${path} cannot be used: ${why}.`,
    "Check that the device is there; then type `azsphere device recover` again.",
  );
}
