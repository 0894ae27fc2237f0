import { interrupt, randomFrom, startFleet, type Tally } from "../lab/fleet.ts";

export interface FleetFigures {
  /** Milliseconds from the start of the lab to telemetry of all devices. */
  readonly start: number;
  /** Milliseconds from a deployment to telemetry of the new version from all devices. */
  readonly update: number;
  /** Milliseconds of all updates with losses of power. */
  readonly interrupted: number;
  readonly tally: Tally;
  /** Messages that the hub got, and those that are missing. */
  readonly messages: number;
  readonly gaps: readonly string[];
  /** Megabytes that the process held at the most. */
  readonly peakMemory: number;
}

const PATIENCE_MS = 300_000;

/** Starts a fleet, updates it over the air, and does it again while devices lose their power. */
export async function fleetFigures(options: {
  readonly devices: number;
  readonly interruptions: number;
  readonly perVersion: number;
  readonly seed: number;
  /** Is told what has been done. */
  readonly report: (text: string) => void;
}): Promise<FleetFigures> {
  const { devices, interruptions, perVersion, seed, report } = options;
  const began = performance.now();
  const since = (moment: number) => Math.round(performance.now() - moment);
  const fleet = await startFleet({ devices });
  try {
    await fleet.reporting("v0", PATIENCE_MS);
    const start = since(began);
    report(`${devices} devices run`);
    const deployed = performance.now();
    fleet.deploy("v1");
    fleet.check();
    await fleet.reporting("v1", PATIENCE_MS);
    const update = since(deployed);
    report("all are updated");
    const before = performance.now();
    const random = randomFrom(seed);
    const tally = await interrupt(fleet, { count: interruptions, perVersion, random, report });
    const messages = [...fleet.received.values()].reduce((sum, { size }) => sum + size, 0);
    const peakMemory = Math.round(process.resourceUsage().maxRSS / 1024);
    const gaps = fleet.gaps();
    return { start, update, interrupted: since(before), tally, messages, gaps, peakMemory };
  } finally {
    await fleet.stop();
  }
}
