import { PERIPHERAL_KINDS, type PeripheralKind, pinConflicts, pinsOf } from "./pins.ts";
import { APP, APP_MANAGER, PINS, type Refusal, refuse } from "./refusal.ts";

type Check = (value: unknown) => Refusal | undefined;
type Capabilities = Readonly<Record<string, unknown>>;

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The number of the error for each capability that is a plain yes or no. */
const FLAGS: Readonly<Record<string, number>> = {
  WifiConfig: 15,
  NetworkConfig: 15,
  SystemTime: 30,
  TimeSyncConfig: 40,
  DhcpService: 41,
  SntpService: 42,
  CertStore: 44,
  EnterpriseWifiConfig: 45,
  SystemEventNotifications: 46,
  SoftwareUpdateDeferral: 47,
  HardwareAddressConfig: 51,
  ReadNetworkProxyConfig: 56,
  ResetMemoryWatermarks: 57,
  HeapMemStats: 58,
};

const TCP_RESERVED = [22, 23, 443, 11100];
const UDP_RESERVED = [68, 11100];
const MOST_PORTS = 10;
const LARGEST_STORAGE_KB = 64;
const POWER_CONTROLS = ["ForceReboot", "ForcePowerDown", "SetPowerProfile"];

const isListOf = (value: unknown, item: (each: unknown) => boolean): value is unknown[] =>
  Array.isArray(value) && value.every(item);

const isText = (value: unknown): value is string => typeof value === "string";
const isGuid = (value: unknown) => isText(value) && GUID.test(value);

const CHECKS: Readonly<Record<string, Check>> = {
  AllowedConnections: (value) =>
    isListOf(value, isText) ? undefined : malformed("AllowedConnections", 9),
  AllowedApplicationConnections: (value) =>
    isListOf(value, isGuid) ? undefined : malformed("AllowedApplicationConnections", 43),
  AllowedTcpServerPorts: (value) => ports("AllowedTcpServerPorts", value, TCP_RESERVED, 36, 38),
  AllowedUdpServerPorts: (value) => ports("AllowedUdpServerPorts", value, UDP_RESERVED, 37, 39),
  DeviceAuthentication(value) {
    if (isGuid(value)) return undefined;
    const tooLong = isText(value) && value.length > 36;
    return malformed("DeviceAuthentication", tooLong ? 29 : 24);
  },
  MutableStorage: storage,
  PowerControls: powerControls,
};

function malformed(field: string, id: number): Refusal {
  return refuse(APP, id, `Capabilities.${field} is malformed`, `Capabilities.${field}`);
}

/**
 * What a device says to the capabilities of a manifest. What is absent or null asks for nothing.
 * @param pinsInUse pins that other applications hold
 */
export function capabilityRefusal(
  capabilities: Capabilities,
  pinsInUse: ReadonlySet<number> = new Set(),
): Refusal | undefined {
  for (const [name, value] of Object.entries(capabilities)) {
    if (value === null || value === undefined) continue;
    const flag = FLAGS[name];
    if (flag !== undefined && typeof value !== "boolean") return malformed(name, flag);
    const refusal = CHECKS[name]?.(value);
    if (refusal) return refusal;
  }
  return peripheralRefusal(capabilities, pinsInUse);
}

function ports(
  field: string,
  value: unknown,
  reserved: readonly number[],
  notAList: number,
  illegal: number,
): Refusal | undefined {
  if (!isListOf(value, (port) => Number.isInteger(port))) return malformed(field, notAList);
  const list = value as number[];
  if (list.length > MOST_PORTS) return malformed(field, notAList);
  const wrong = list.find((port) => port < 1 || port > 65_535 || reserved.includes(port));
  if (wrong === undefined) return undefined;
  return refuse(APP, illegal, `${field}: port ${wrong} is not allowed`, `Capabilities.${field}`);
}

function storage(value: unknown): Refusal | undefined {
  const field = "Capabilities.MutableStorage";
  if (typeof value !== "object" || Array.isArray(value)) return malformed("MutableStorage", 31);
  const { SizeKB: size } = value as { SizeKB?: unknown };
  if (size === undefined) return refuse(APP, 32, "MutableStorage has no SizeKB", field);
  if (!Number.isInteger(size) || Number(size) < 1) {
    return refuse(APP, 33, "SizeKB of MutableStorage is no positive whole number", field);
  }
  if (Number(size) <= LARGEST_STORAGE_KB) return undefined;
  return refuse(APP, 34, `SizeKB of MutableStorage is ${size}; 64 is the most`, field);
}

function powerControls(value: unknown): Refusal | undefined {
  const field = "Capabilities.PowerControls";
  if (!isListOf(value, isText) || new Set(value).size !== value.length) {
    return malformed("PowerControls", 48);
  }
  if (value.length === 0) return refuse(APP, 49, "PowerControls is empty", field);
  const wrong = value.find((each) => !POWER_CONTROLS.includes(String(each)));
  if (wrong === undefined) return undefined;
  return refuse(APP, 50, `PowerControls: ${wrong} is unknown`, field);
}

function peripheralRefusal(
  capabilities: Capabilities,
  pinsInUse: ReadonlySet<number>,
): Refusal | undefined {
  for (const kind of PERIPHERAL_KINDS) {
    const values = capabilities[kind] ?? [];
    const item = kind === "Gpio" ? Number.isInteger : isText;
    if (!isListOf(values, item)) return malformed(kind, kind === "Gpio" ? 10 : 13);
    for (const value of values) {
      const refusal = valueRefusal(kind, value, pinsInUse);
      if (refusal) return refusal;
    }
  }
  const [conflict] = pinConflicts(capabilities);
  if (!conflict) return undefined;
  const { kind, value, other, pin } = conflict;
  const message = `${kind} ${value} and ${other} both use pin ${pin}`;
  return refuse(APP, 35, message, `Capabilities.${kind}`);
}

function valueRefusal(
  kind: PeripheralKind,
  value: unknown,
  pinsInUse: ReadonlySet<number>,
): Refusal | undefined {
  const field = `Capabilities.${kind}`;
  const pins = pinsOf(kind, value);
  if (!pins) {
    if (kind === "Uart") return refuse(APP, 18, `UART ${value} is not available`, field);
    return refuse(PINS, kind === "Gpio" ? 3 : 7, `${kind} ${value} does not exist`, field);
  }
  const pin = pins.find((each) => pinsInUse.has(each));
  if (pin === undefined) return undefined;
  const message = `pin ${pin} of ${kind} ${value} is in use by another application`;
  return refuse(APP_MANAGER, 25, message, field);
}
