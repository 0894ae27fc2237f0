import type { Clock, TimerHandle } from "../clock/index.ts";
import type { Store } from "../store/index.ts";
import { HubError } from "./errors.ts";
import type { Json, JsonObject } from "./json.ts";

export type JobType = "scheduleDeviceMethod" | "scheduleUpdateTwin";
export type JobStatus = "scheduled" | "running" | "completed" | "failed" | "cancelled";

/** A job as the service's routes write it. */
export interface Job {
  readonly jobId: string;
  readonly type: JobType;
  readonly queryCondition: string;
  readonly createdTime: string;
  readonly startTime: string;
  readonly endTime?: string;
  readonly maxExecutionTimeInSeconds: number;
  readonly status: JobStatus;
  readonly cloudToDeviceMethod?: JsonObject;
  readonly updateTwin?: JsonObject;
  readonly deviceJobStatistics: {
    readonly deviceCount: number;
    readonly failedCount: number;
    readonly succeededCount: number;
    readonly runningCount: number;
    readonly pendingCount: number;
  };
}

/** What a job did on one device. */
export interface DeviceJob {
  readonly jobId: string;
  readonly deviceId: string;
  readonly jobType: JobType;
  readonly status: "completed" | "failed";
  readonly startTimeUtc: string;
  readonly endTimeUtc: string;
  readonly outcome?: Json;
  readonly error?: { readonly code: string; readonly description: string };
}

export type JobRequest = Pick<
  Job,
  "jobId" | "type" | "queryCondition" | "cloudToDeviceMethod" | "updateTwin"
> & { readonly startTime: number; readonly maxExecutionTimeInSeconds: number };

export interface JobRunner {
  /** The devices that a condition means. @throws HubError ArgumentInvalid */
  targets(queryCondition: string): string[];
  /** Does the job's work on one device; the answer is its outcome. */
  run(job: Job, deviceId: string): Promise<Json>;
}

export type Jobs = ReturnType<typeof createJobs>;

const NOBODY = {
  deviceCount: 0,
  failedCount: 0,
  succeededCount: 0,
  runningCount: 0,
  pendingCount: 0,
};

/** Jobs run a method or a twin update on many devices, at their time. */
export function createJobs(store: Store, clock: Clock, runner: JobRunner) {
  const key = (jobId: string) => `hub/jobs/${jobId}`;
  const rowKey = (jobId: string, deviceId: string) => `hub/device-jobs/${jobId}/${deviceId}`;
  const timers = new Map<string, TimerHandle>();
  const now = () => new Date(clock.now()).toISOString();

  function get(jobId: string): Job {
    const job = store.get<Job>(key(jobId));
    if (job) return job;
    throw new HubError("JobNotFound", `There is no job ${jobId}`);
  }

  const list = () => [...store.entries<Job>("hub/jobs/")].map(([, job]) => job);

  function save(job: Job): Job {
    store.put(key(job.jobId), job);
    return job;
  }

  /** Waits for its time; a job whose time came while nothing ran starts at once. */
  function schedule(job: Job): void {
    const wait = Math.max(0, Date.parse(job.startTime) - clock.now());
    timers.set(
      job.jobId,
      clock.setTimer(wait, () => void run(job.jobId)),
    );
  }

  async function run(jobId: string): Promise<void> {
    timers.delete(jobId);
    const job = get(jobId);
    const targets = runner.targets(job.queryCondition);
    const deviceCount = targets.length;
    save({
      ...job,
      status: "running",
      deviceJobStatistics: { ...NOBODY, deviceCount, runningCount: deviceCount },
    });
    const rows = await Promise.all(targets.map((deviceId) => runOn(job, deviceId)));
    if (get(jobId).status !== "running") return;
    const failedCount = rows.filter((row) => row.status === "failed").length;
    const succeededCount = deviceCount - failedCount;
    save({
      ...job,
      endTime: now(),
      status: failedCount === 0 ? "completed" : "failed",
      deviceJobStatistics: { ...NOBODY, deviceCount, failedCount, succeededCount },
    });
  }

  async function runOn(job: Job, deviceId: string): Promise<DeviceJob> {
    const startTimeUtc = now();
    const base = { jobId: job.jobId, deviceId, jobType: job.type, startTimeUtc };
    const row = await runner.run(job, deviceId).then(
      (outcome): DeviceJob => ({ ...base, status: "completed", endTimeUtc: now(), outcome }),
      (problem: Error): DeviceJob => ({
        ...base,
        status: "failed",
        endTimeUtc: now(),
        error: { code: problem.name, description: problem.message },
      }),
    );
    store.put(rowKey(job.jobId, deviceId), row);
    return row;
  }

  return {
    get,
    list,
    /** What all jobs did on each device, for queries. */
    deviceRows: (): JsonObject[] =>
      [...store.entries<JsonObject>("hub/device-jobs/")].map(([, row]) => row),
    /** @throws HubError JobAlreadyExists, ArgumentInvalid */
    create(request: JobRequest): Job {
      if (store.get(key(request.jobId))) {
        throw new HubError("JobAlreadyExists", `A job ${request.jobId} exists`);
      }
      runner.targets(request.queryCondition);
      const job = save({
        ...request,
        startTime: new Date(request.startTime).toISOString(),
        createdTime: now(),
        status: "scheduled",
        deviceJobStatistics: NOBODY,
      });
      schedule(job);
      return job;
    },
    cancel(jobId: string): Job {
      const job = get(jobId);
      if (job.status !== "scheduled" && job.status !== "running") return job;
      clock.clearTimer(timers.get(jobId));
      timers.delete(jobId);
      return save({ ...job, status: "cancelled", endTime: now() });
    },
    /** Takes up what was scheduled before. */
    start(): void {
      for (const job of list()) if (job.status === "scheduled") schedule(job);
    },
    stop(): void {
      for (const timer of timers.values()) clock.clearTimer(timer);
      timers.clear();
    },
  };
}
