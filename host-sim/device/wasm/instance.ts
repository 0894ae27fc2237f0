import { ABI_VERSION, EVENT_STOP } from "../../../assembly/sphere/host/abi.ts";
import type { AppImage, ExitStatus, RunningApp } from "../app.ts";
import type { AppSession, SessionOptions } from "../session/session.ts";
import { createImports } from "./imports.ts";
import { moduleOf } from "./modules.ts";
import { exitStatusOf } from "./report.ts";
import { enterApp, leaveApp } from "./watchdog.ts";

interface AppExports {
  readonly memory: WebAssembly.Memory;
  start(): void;
  onTimer(id: number): void;
  onEvent(kind: number, id: number, value: number): void;
  collect(): void;
  abiVersion(): number;
}

const STOPPED = 0;
const NEEDS_NEWER_ABI = 80;
const UNKNOWN_IMPORT = 85;
const EXPORTS = ["start", "onTimer", "onEvent", "collect", "abiVersion"] as const;

export interface WasmRun {
  readonly image: AppImage & { readonly wasm: Uint8Array };
  /** Makes what the app may ask for, bound to this run. */
  readonly session: (events: Pick<SessionOptions, "emit" | "onTimer">) => AppSession;
  /** Once, when the app has ended by itself or by `terminate`. */
  readonly onExit: (status: ExitStatus) => void;
}

/** Runs an app in V8: the body "wasm". What was thrown by the app never gets out of here. */
export function runWasm({ image, session, onExit }: WasmRun): RunningApp {
  let app: AppExports | undefined;
  let inside = false;
  const queue: (() => void)[] = [];

  function end(status: ExitStatus): void {
    if (!app) return;
    const memoryBytes = app.memory.buffer.byteLength;
    app = undefined;
    queue.length = 0;
    onExit({ ...status, memoryBytes });
  }

  /** Runs one event to its end; what comes meanwhile waits. Garbage goes while nothing runs. */
  function deliver(run: (exports: AppExports) => void): void {
    queue.push(() => {
      if (!app) return;
      run(app);
      app?.collect();
    });
    if (inside) return;
    inside = true;
    enterApp();
    try {
      for (let next = queue.shift(); next; next = queue.shift()) next();
    } catch (error) {
      end(exitStatusOf(error, image));
    } finally {
      leaveApp();
      inside = false;
    }
  }

  const host = session({
    onTimer: (id) => deliver((exports) => exports.onTimer(id)),
    emit: (kind, id, value, prepare, finish) =>
      deliver((exports) => {
        prepare?.();
        try {
          exports.onEvent(kind, id, value);
        } finally {
          finish?.();
        }
      }),
  });

  const instance = instantiate(image.wasm, host, () => app);
  if ("code" in instance) {
    queueMicrotask(() => onExit(instance));
  } else {
    app = instance;
    deliver((exports) => exports.start());
  }
  return {
    get memoryBytes() {
      return app?.memory.buffer.byteLength ?? 0;
    },
    terminate() {
      deliver((exports) => exports.onEvent(EVENT_STOP, 0, 0));
      end({ code: STOPPED, report: [] });
    },
  };
}

function instantiate(
  wasm: Uint8Array,
  session: AppSession,
  current: () => AppExports | undefined,
): AppExports | ExitStatus {
  let exports: AppExports | undefined;
  const imports = createImports(session, () => (exports ?? current())?.memory.buffer ?? NOTHING);
  const module = moduleOf(wasm);
  const unknown = WebAssembly.Module.imports(module).find(
    ({ module: subject, name }) => typeof imports[subject]?.[name] !== "function",
  );
  if (unknown) {
    const name = `${unknown.module}.${unknown.name}`;
    return ended(UNKNOWN_IMPORT, `it imports ${name}, which this host does not offer`);
  }
  const names = WebAssembly.Module.exports(module).map(({ name }) => name);
  const missing = [...EXPORTS, "memory"].filter((name) => !names.includes(name));
  if (missing.length > 0) {
    const list = missing.join(", ");
    return ended(UNKNOWN_IMPORT, `it does not export ${list}; assembly/index.ts shows how`);
  }
  const instance = new WebAssembly.Instance(module, imports);
  exports = instance.exports as unknown as AppExports;
  const wanted = exports.abiVersion();
  if (wanted <= ABI_VERSION) return exports;
  return ended(NEEDS_NEWER_ABI, `it needs host ABI ${wanted}, this host offers ${ABI_VERSION}`);
}

const ended = (code: number, why: string): ExitStatus => ({
  code,
  report: [`the app ended with exit code ${code}: ${why}`],
});

const NOTHING = new ArrayBuffer(0);
