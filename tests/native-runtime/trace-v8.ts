import { exitStatusOf } from "../../host-sim/device/wasm/report.ts";

const SILENT = "abiVersion";
const LEAVING = /^host_env_abort$/;
const TRAPS = /^(RuntimeError|RangeError)$/;
const TIMES = /_(now|monotonic)$/;

type Call = (...args: (number | bigint)[]) => unknown;

/**
 * Runs `work` while V8 tells every call across the host ABI, in the words of a program that was
 * built with SPHERULE_TRACE.
 */
export async function tracingV8<Result>(
  work: (trace: readonly string[]) => Promise<Result>,
): Promise<{ readonly trace: readonly string[]; readonly result: Result }> {
  const trace: string[] = [];
  const { Instance } = WebAssembly;
  WebAssembly.Instance = class {
    readonly exports: Record<string, unknown>;
    constructor(module: WebAssembly.Module, imports: Record<string, Record<string, Call>>) {
      let memory: WebAssembly.Memory | undefined;
      const say = (text: string) => trace.push(`${text} @${sum(memory)}`);
      const instance = new Instance(module, tellingImports(imports, say));
      memory = instance.exports.memory as WebAssembly.Memory;
      this.exports = tellingExports(instance.exports, say);
    }
  } as unknown as typeof Instance;
  try {
    return { result: await work(trace), trace };
  } finally {
    WebAssembly.Instance = Instance;
  }
}

function tellingImports(
  imports: Record<string, Record<string, Call>>,
  say: (text: string) => void,
): Record<string, Record<string, Call>> {
  const groups = Object.entries(imports).map(([subject, group]) => {
    const functions = Object.entries(group).map(([word, call]) => {
      const name = `host_${subject}_${word}`;
      return [word, telling(name, call, say)] as const;
    });
    return [subject, Object.fromEntries(functions)] as const;
  });
  return Object.fromEntries(groups);
}

function telling(name: string, call: Call, say: (text: string) => void): Call {
  return (...args) => {
    say([name, ...args].join(" "));
    const result = call(...args);
    if (!LEAVING.test(name)) say(result === undefined || TIMES.test(name) ? "=" : `= ${result}`);
    return result;
  };
}

function tellingExports(
  exports: Record<string, unknown>,
  say: (text: string) => void,
): Record<string, unknown> {
  const values = Object.entries(exports).map(([name, value]) => {
    if (typeof value !== "function" || name === SILENT) return [name, value] as const;
    const told: Call = (...args) => {
      say([name, ...args].join(" "));
      try {
        const result = value(...args);
        say(result === undefined ? "=" : `= ${result}`);
        return result;
      } catch (error) {
        if (error instanceof Error && TRAPS.test(error.name))
          say(`trap ${exitStatusOf(error, {}).code}`);
        throw error;
      }
    };
    return [name, told] as const;
  });
  return Object.fromEntries(values);
}

function sum(memory: WebAssembly.Memory | undefined): string {
  let value = 1;
  for (const byte of new Uint8Array(memory?.buffer ?? new ArrayBuffer(0))) {
    value = (Math.imul(value, 31) + byte) >>> 0;
  }
  return String(value);
}
