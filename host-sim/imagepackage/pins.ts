import type { Capabilities } from "./manifest.ts";

/** Capabilities whose values are pins or controllers with pins. */
export const PERIPHERAL_KINDS = ["Gpio", "Uart", "I2cMaster", "SpiMaster", "Pwm", "Adc"] as const;
export type PeripheralKind = (typeof PERIPHERAL_KINDS)[number];

/** The first pin of each serial controller; its five pins follow each other. */
const SERIAL_FIRST: Readonly<Record<string, number>> = {
  ISU0: 26,
  ISU1: 31,
  ISU2: 36,
  ISU3: 66,
  ISU4: 71,
};

/** Which of a serial controller's five pins each use of it takes; the others stay free as GPIO. */
const SERIAL_USES = {
  Uart: [0, 1, 2, 3],
  I2cMaster: [1, 2],
  SpiMaster: [0, 1, 2, 3, 4],
} as const;

const run = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at);

/** Pins of the MT3620's GPIO blocks. */
export const GPIO_PINS: ReadonlySet<number> = new Set([
  ...run(0, 24),
  ...run(26, 23),
  ...run(56, 20),
  80,
]);

/**
 * The pins that a value of a capability takes; undefined when the MT3620 has no such peripheral.
 * A PWM controller takes its block of four, the ADC all of its eight.
 */
export function pinsOf(kind: PeripheralKind, value: unknown): readonly number[] | undefined {
  switch (kind) {
    case "Gpio":
      return typeof value === "number" && GPIO_PINS.has(value) ? [value] : undefined;
    case "Pwm": {
      const controller = /^PWM-CONTROLLER-([0-2])$/.exec(String(value))?.[1];
      return controller === undefined ? undefined : run(4 * Number(controller), 4);
    }
    case "Adc":
      return value === "ADC-CONTROLLER-0" ? run(41, 8) : undefined;
    default: {
      const first = SERIAL_FIRST[String(value)];
      return first === undefined ? undefined : SERIAL_USES[kind].map((at) => first + at);
    }
  }
}

export interface PinConflict {
  readonly kind: PeripheralKind;
  readonly value: unknown;
  /** What took the pin before, e.g. `Gpio 8`. */
  readonly other: string;
  readonly pin: number;
}

/** Peripherals of a manifest that want the same pin; `$NAME` and unknown values are passed over. */
export function pinConflicts(capabilities: Capabilities): PinConflict[] {
  const taken = new Map<number, string>();
  const controllers = new Map<string, string>();
  const conflicts: PinConflict[] = [];
  for (const kind of PERIPHERAL_KINDS) {
    const values = capabilities[kind];
    for (const value of Array.isArray(values) ? values : []) {
      const pins = pinsOf(kind, value) ?? [];
      const what = `${kind} ${value}`;
      // An ISU is one circuit: it is a UART or an I2C master, though the pins may differ.
      const controller = kind === "Gpio" || pins.length === 0 ? undefined : String(value);
      const sameController = controller && controllers.get(controller);
      const pin = sameController ? pins[0] : pins.find((each) => taken.has(each));
      const other = sameController || (pin !== undefined && taken.get(pin));
      if (pin !== undefined && other) conflicts.push({ kind, value, other, pin });
      if (controller) controllers.set(controller, what);
      for (const each of pins) if (!taken.has(each)) taken.set(each, what);
    }
  }
  return conflicts;
}
