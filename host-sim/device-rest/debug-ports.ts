import type { DebugGate } from "../device/app.ts";
import type { Applications } from "../device/applications.ts";
import { createGdbPort } from "./gdb-port.ts";
import { createOutputPort } from "./output-port.ts";

/** Where a device's debug server listens. */
export const GDB_PORT = 2345;

export interface DebugPortsOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly outputPort: number;
  readonly gdbPort: number;
  readonly applications: Applications;
}

export type DebugPorts = ReturnType<typeof createDebugPorts>;

export interface OpenDebugPorts {
  readonly outPort: number;
  readonly gdbPort: number;
  /** Absent for an app that no debugger can hold; then nobody listens. */
  readonly gate?: DebugGate;
}

/** The ports of the app that is being debugged; of one at a time. */
export function createDebugPorts(options: DebugPortsOptions) {
  const { host, applications } = options;
  const output = createOutputPort({ host, port: options.outputPort });
  const gdb = createGdbPort({ host, port: options.gdbPort });
  let debugged: string | undefined;
  let unwatch: (() => void)[] = [];
  const holds = (id: string | undefined) =>
    id !== undefined && applications.state(id) === "debugging";

  async function stop(): Promise<void> {
    for (const end of unwatch) end();
    unwatch = [];
    debugged = undefined;
    await Promise.all([output.close(), gdb.close()]);
  }

  /** The app that was debugged before goes on by itself. */
  async function letGo(next: string): Promise<void> {
    const before = debugged;
    await stop();
    if (before !== undefined && before !== next && holds(before)) await applications.start(before);
  }

  return {
    /** Opens the ports for an app; they close when it is debugged no more. @throws LabError */
    async open(componentId: string): Promise<OpenDebugPorts> {
      const id = componentId.toLowerCase();
      const gate = applications.isProgram(id) ? gdb.gate : undefined;
      await letGo(id);
      try {
        const outPort = await output.open();
        const gdbPort = gate ? await gdb.open() : GDB_PORT;
        debugged = id;
        unwatch = [
          applications.onOutput(({ componentId: from, text }) => {
            if (from === id) output.write(`${text}\n`);
          }),
          applications.onChange((changed) => {
            if (changed === id && !holds(id)) void stop();
          }),
        ];
        return { outPort, gdbPort, gate };
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
  };
}
