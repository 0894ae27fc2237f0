import type { Capabilities } from "../imagepackage/manifest.ts";

/** Pins of the MT3620 that a block of peripherals occupies. */
const BLOCKS: Readonly<Record<string, readonly [first: number, last: number]>> = {
  "PWM-CONTROLLER-0": [0, 3],
  "PWM-CONTROLLER-1": [4, 7],
  "PWM-CONTROLLER-2": [8, 11],
  ISU0: [26, 30],
  ISU1: [31, 35],
  ISU2: [36, 40],
  "ADC-CONTROLLER-0": [41, 48],
  ISU3: [66, 70],
};

const KINDS = ["Gpio", "I2cMaster", "SpiMaster", "Uart", "Pwm", "Adc"] as const;

/** The GPIO numbers that an app with these capabilities takes for itself. */
export function pinsOf(capabilities: Capabilities): Set<number> {
  const values = KINDS.flatMap((kind) => {
    const value = capabilities[kind];
    return Array.isArray(value) ? (value as (number | string)[]) : [];
  });
  return new Set(values.flatMap(pinsOfValue));
}

function pinsOfValue(value: number | string): number[] {
  if (typeof value === "number") return [value];
  const [first, last] = BLOCKS[value.toUpperCase()] ?? [0, -1];
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
