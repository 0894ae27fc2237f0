import type { AppImage } from "../../host-sim/device/app.ts";
import { BUTTON_A, LED, startDevice, type TestDevice } from "../device/support.ts";
import { HUB_NAME } from "../hub/support.ts";

/** How a program that was built with SPHERULE_TRACE tells a call across the host ABI. */
export const TRACED = /^~ /;

/** Calls across the host ABI; none of a program that does not tell them. */
export const traceOf = (device: TestDevice) =>
  device.log().flatMap((text) => (TRACED.test(text) ? [text.replace(TRACED, "")] : []));

/** What the app logged, and how it ended: no frames, no times. */
export const linesOf = (device: TestDevice) =>
  device.lines
    .filter(
      ({ source, text }) =>
        (source === "app" && !TRACED.test(text)) || text.startsWith("the app ended"),
    )
    .map(({ level, text }) => `${level} ${text}`);

export async function ended(device: TestDevice) {
  await device.until(() => device.os.status().lastExitCode !== null);
  return device.os.status().lastExitCode;
}

const reported = (id: number) => `onEvent 6 ${id} 204`;

/**
 * Boot, twin, button, method, message, restart, trap: each step waits for what the last one logs.
 * @param calls what has crossed the host ABI, when that is known: then each step also waits for the
 *   hub's confirmations, which come whenever they like and are in no log
 */
export async function liveThrough(
  imageOf: (args: string[]) => AppImage,
  calls?: (device: TestDevice) => readonly string[],
) {
  const device = await startDevice({ withHub: true });
  const hub = device.lab?.hub;
  const logged = (text: string, times = 1) =>
    device.until(() => linesOf(device).filter((line) => line.endsWith(` ${text}`)).length >= times);
  const confirmed = async (event: string, times = 1) => {
    const count = () => calls?.(device).filter((line) => line.startsWith(event)).length ?? times;
    await device.until(() => count() >= times);
  };
  const invoke = async (methodName: string, payload: string) => {
    let result: unknown;
    hub?.connections
      .invoke(device.deviceId, {
        ...{ methodName, payload },
        ...{ responseTimeoutMs: 3_600_000, connectTimeoutMs: 3_600_000 },
      })
      .then(
        (answer) => {
          result = answer;
        },
        (error) => {
          result = error;
        },
      );
    await device.until(() => result);
    return result;
  };
  await device.os.install(imageOf(["--Hostname", HUB_NAME, "--greeting", "Grüße"]));
  await logged("after");
  await logged("connection true 6");
  await logged("mode none");
  await confirmed(reported(1));
  hub?.twins.patch(device.deviceId, { desired: { mode: "night" } });
  await logged("mode night");
  await confirmed(reported(2));
  device.board.set(BUTTON_A, 0);
  await logged("button 0");
  await device.until(() => device.telemetry().length === 1);
  await confirmed("onEvent 3 0 0");
  device.board.set(BUTTON_A, 1);
  await logged("button 1");
  // Log and pins come to the operating system by channels of their own.
  await device.until(() => device.board.level(LED) === 1);
  const levels = [device.board.level(LED)];
  const answers = [await invoke("echo", '"hello"'), await invoke("silent", "")];
  const message = {
    body: Buffer.from("Tür zu"),
    messageId: "m/1",
    properties: { urgency: "very high", "ä (1)": "a&b" },
  };
  hub?.c2d.enqueue(device.deviceId, message);
  await logged("message Tür zu very high");
  device.network.setUp(false);
  await logged("connection false 4");
  device.network.setUp(true);
  await logged("mode night", 2);
  await confirmed(reported(3));
  await confirmed(reported(4));
  await device.os.startApp();
  await logged("mode night", 3);
  await confirmed(reported(1), 2);
  await confirmed(reported(2), 2);
  const connected = device.os.status().hubConnected;
  void invoke("fail", "null").catch(() => {});
  await device.until(() => device.os.status().lastExitCode === 65);
  const twin = hub?.twins.get(device.deviceId);
  const { mode, ...properties } = (twin?.reported.values ?? {}) as Record<string, unknown>;
  const result = {
    lines: linesOf(device),
    trace: traceOf(device),
    answers,
    levels,
    connected,
    reported: properties,
    telemetry: device.telemetry(),
    modelId: twin?.modelId,
    refusals: hub?.refusals.list().length,
  };
  await device.stop();
  return result;
}
