import type { Store } from "../../store/index.ts";
import { DeviceError, ERRORS, refuseIf } from "./device-error.ts";
import { kept } from "./kept.ts";

export const CAPABILITIES = {
  appDevelopment: 11,
  enableRfTestMode: 12,
  fieldServicing: 13,
} as const;

export type ManufacturingState = "Blank" | "Module1Complete" | "DeviceComplete";

const ORDER: readonly ManufacturingState[] = ["Blank", "Module1Complete", "DeviceComplete"];

export interface ManufacturingOptions {
  readonly state: ManufacturingState;
  readonly capabilities: readonly number[];
}

export type Manufacturing = ReturnType<typeof createManufacturing>;

/** How far the device is on its way out of the factory, and what it may do beside. */
export function createManufacturing(store: Store, initial: ManufacturingOptions) {
  const state = kept<ManufacturingState>(store, "manufacturing-state", () => initial.state);
  const capabilities = kept<readonly number[]>(store, "capabilities", () => initial.capabilities);
  const debugServer = kept(store, "debug-server", () => true);
  /** Of a session, which ends with a restart. */
  let session: readonly number[] | undefined;
  const current = () => session ?? capabilities.value;
  const has = (capability: number) => current().includes(capability);

  return {
    get state(): ManufacturingState {
      return state.value;
    },
    /** Goes one way only. @throws DeviceError invalidParameter */
    advance(next: string): void {
      const wanted = (ORDER as readonly string[]).indexOf(next);
      refuseIf(wanted < 1 || wanted < ORDER.indexOf(state.value), ERRORS.invalidParameter);
      state.set(next as ManufacturingState);
    },
    get capabilities(): readonly number[] {
      return current();
    },
    /** As a capability image does; enabling development brings the debug server along. */
    setCapabilities(next: readonly number[]): void {
      capabilities.set(checked(next));
      session = undefined;
      if (has(CAPABILITIES.appDevelopment)) debugServer.set(true);
    },
    /** The same until the next restart. */
    beginSession(next: readonly number[]): void {
      session = checked(next);
      if (has(CAPABILITIES.appDevelopment)) debugServer.set(true);
    },
    /** What the device may do without a session counts again. */
    endSession(): void {
      session = undefined;
    },
    get mayDevelop(): boolean {
      return has(CAPABILITIES.appDevelopment);
    },
    /** Nothing that changes the device is let through. */
    get locked(): boolean {
      return state.value === "DeviceComplete" && current().length === 0;
    },
    get debugServer(): boolean {
      return debugServer.value;
    },
    setDebugServer: (present: boolean): void => debugServer.set(present),
    /** @throws DeviceError developmentNotEnabled */
    requireDevelopment(): void {
      if (!has(CAPABILITIES.appDevelopment)) throw new DeviceError(ERRORS.developmentNotEnabled);
    },
  };
}

/** @throws DeviceError invalidParameter */
function checked(capabilities: readonly number[]): readonly number[] {
  const known = Object.values<number>(CAPABILITIES);
  refuseIf(!capabilities.every((number) => known.includes(number)), ERRORS.invalidParameter);
  return [...new Set(capabilities)].sort((a, b) => a - b);
}
