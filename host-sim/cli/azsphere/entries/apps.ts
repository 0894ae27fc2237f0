import { LabError } from "../../../errors.ts";
import type { Device } from "../device.ts";
import { notFound } from "../errors.ts";
import { aligned } from "../output.ts";
import { type Context, type Entry, type Given, type Options, optional } from "../table.ts";
import { applicationsOf } from "./images.ts";
import { componentId } from "./sideload.ts";

const COMPONENT: Options = {
  "-i, --component-id --componentid <id>": "the application; all if absent",
};

/** The named application, or all. @throws LabError azsphere-not-found */
async function targets(device: Device, given: Given): Promise<readonly string[]> {
  const named = optional(given, "componentId");
  if (named === undefined) return (await applicationsOf(device)).map(({ uid }) => uid);
  return [componentId(named)];
}

const NO_APPS = { value: [], text: "No applications on the device." };

async function change(context: Context, given: Given, trigger: string) {
  const ids =
    given.componentId === undefined ? undefined : [componentId(String(given.componentId))];
  const device = await context.device(given);
  const value = [];
  for (const id of ids ?? (await targets(device, given))) {
    value.push({ componentId: id, ...(await patch(device, id, trigger)) });
  }
  if (value.length === 0) return NO_APPS;
  return { value, text: value.flatMap(stateLines) };
}

async function patch(device: Device, id: string, trigger: string): Promise<AppState> {
  try {
    return await device.send<AppState>("PATCH", `/app/status/${id}`, { trigger });
  } catch (error) {
    if (!(error instanceof LabError) || error.code !== "device-refused") throw error;
    const verb = trigger === "stop" ? "stop" : "start";
    const { message, hint } = error;
    throw new LabError("device-refused", `Could not ${verb} component '${id}': ${message}`, hint);
  }
}

interface AppState {
  readonly state: string;
  readonly gdbPort?: number;
  readonly outPort?: number;
  readonly realTimeCore?: number;
}

function stateLines({ componentId: id, state, ...more }: AppState & { componentId: string }) {
  const lines = [`${id}: App state: ${state}`];
  if (more.gdbPort !== undefined) lines.push(`  GDB port: ${more.gdbPort}`);
  if (more.outPort !== undefined) lines.push(`  Output port: ${more.outPort}`);
  if (more.realTimeCore !== undefined) lines.push(`  Core: Real-time ${more.realTimeCore}`);
  return lines;
}

export const appEntries: readonly Entry[] = [
  {
    words: "device app start",
    summary: "start an application, or all",
    options: { ...COMPONENT, "--debug-mode --debugmode": "for a debugger" },
    needs: ["device"],
    examples: ["", "--component-id 2f074b0f-d99d-4692-82d9-ef93a7d6463c --debug-mode"],
    run: (context, given) => change(context, given, given.debugMode ? "startDebug" : "start"),
  },
  {
    words: "device app stop",
    summary: "stop an application, or all",
    options: COMPONENT,
    needs: ["device"],
    examples: [""],
    run: (context, given) => change(context, given, "stop"),
  },
  {
    words: "device app show-status",
    summary: "print whether applications run",
    options: COMPONENT,
    needs: ["device"],
    examples: ["", "--component-id 2f074b0f-d99d-4692-82d9-ef93a7d6463c"],
    async run(context, given) {
      const device = await context.device(given);
      const value = [];
      for (const id of await targets(device, given)) {
        value.push({ componentId: id, ...(await device.get<AppState>(`/app/status/${id}`)) });
      }
      if (given.componentId !== undefined && value[0]?.state === "notPresent") {
        throw notFound(
          `The application ${value[0].componentId} is not on the device.`,
          `'${context.program} device image list-installed' prints what is.`,
        );
      }
      return value.length === 0 ? NO_APPS : { value, text: value.flatMap(stateLines) };
    },
  },
  {
    words: "device app show-quota",
    summary: "print how much mutable storage applications use",
    options: COMPONENT,
    needs: ["device"],
    examples: [""],
    async run(context, given) {
      const device = await context.device(given);
      const value = [];
      for (const id of await targets(device, given)) {
        const quota = await device.get<{ UsageKB: number; LimitKB: number }>(`/app/quota/${id}`);
        value.push({ componentId: id, ...quota });
      }
      const lines = value.map(
        ({ componentId: id, UsageKB, LimitKB }) =>
          `${id}: Mutable storage: ${UsageKB} KB of ${LimitKB} KB used`,
      );
      return value.length === 0 ? NO_APPS : { value, text: lines };
    },
  },
  {
    words: "device app show-memory-stats",
    summary: "print how much memory applications use",
    needs: ["device"],
    examples: ["", "--output json"],
    async run(context, given) {
      const device = await context.device(given);
      const value = await device.get<{ memoryStats: Record<string, number> }>(
        "/stats/memory/groups/applications",
      );
      const { memoryStats: stats } = value;
      return {
        value,
        text: aligned([
          ["Current memory usage (bytes)", stats.currentMemoryUsageInBytes],
          ["Peak user mode memory usage (bytes)", stats.peakUserModeMemoryUsageInBytes],
          ["User mode memory usage (bytes)", stats.userModeMemoryUsageInBytes],
        ]),
      };
    },
  },
];
