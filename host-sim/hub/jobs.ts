import type { Clock, TimerHandle } from "../clock/index.ts";
import type { Store } from "../store/index.ts";
import { ID } from "./devices.ts";
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
  readonly failureReason?: string;
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
  readonly createdDateTimeUtc: string;
  readonly lastUpdatedDateTimeUtc: string;
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
  let stopped = false;
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

  const rowsOf = (jobId: string) =>
    [...store.entries<DeviceJob>(rowKey(jobId, ""))].map(([, row]) => row);

  /** A job that a restart interrupted goes on with the devices that it has not done yet. */
  async function run(jobId: string): Promise<void> {
    timers.delete(jobId);
    const job = get(jobId);
    const done = new Set(rowsOf(jobId).map(({ deviceId }) => deviceId));
    const targets = runner.targets(job.queryCondition).filter((deviceId) => !done.has(deviceId));
    const deviceCount = done.size + targets.length;
    const pending = { ...NOBODY, deviceCount, runningCount: targets.length };
    save({ ...job, status: "running", deviceJobStatistics: pending });
    const late = new Promise<void>((resolve) => {
      timers.set(jobId, clock.setTimer(job.maxExecutionTimeInSeconds * 1000, resolve));
    });
    const all = Promise.all(targets.map((deviceId) => runOn(job, deviceId)));
    await Promise.race([all, late]);
    clock.clearTimer(timers.get(jobId));
    timers.delete(jobId);
    if (!stopped && get(jobId).status === "running") finish(job, deviceCount);
  }

  /** What has not answered by now has failed. */
  function finish(job: Job, deviceCount: number): void {
    const rows = rowsOf(job.jobId);
    const succeededCount = rows.filter(({ status }) => status === "completed").length;
    const failedCount = deviceCount - succeededCount;
    const limit = job.maxExecutionTimeInSeconds;
    save({
      ...job,
      endTime: now(),
      status: failedCount === 0 ? "completed" : "failed",
      ...(rows.length < deviceCount ? { failureReason: `It took longer than ${limit} s` } : {}),
      deviceJobStatistics: { ...NOBODY, deviceCount, failedCount, succeededCount },
    });
  }

  async function runOn(job: Job, deviceId: string): Promise<void> {
    const startTimeUtc = now();
    const base = { jobId: job.jobId, deviceId, jobType: job.type, startTimeUtc };
    const end = () => ({ endTimeUtc: now(), lastUpdatedDateTimeUtc: now() });
    const began = { ...base, createdDateTimeUtc: job.createdTime };
    const row = await runner.run(job, deviceId).then(
      (outcome): DeviceJob => ({ ...began, status: "completed", ...end(), outcome }),
      (problem: Error): DeviceJob => ({
        ...began,
        status: "failed",
        ...end(),
        error: { code: problem.name, description: problem.message },
      }),
    );
    if (!stopped) store.put(rowKey(job.jobId, deviceId), row);
  }

  return {
    get,
    list,
    /** What all jobs did on each device, for queries. */
    deviceRows: (): JsonObject[] =>
      [...store.entries<JsonObject>("hub/device-jobs/")].map(([, row]) => row),
    /** @throws HubError JobAlreadyExists, ArgumentInvalid */
    create(request: JobRequest): Job {
      if (!ID.test(request.jobId)) {
        throw new HubError("ArgumentInvalid", `The id ${request.jobId} has other characters`);
      }
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
    /** Takes up what was scheduled before, or interrupted. */
    start(): void {
      for (const job of list()) {
        if (job.status === "scheduled" || job.status === "running") schedule(job);
      }
    },
    stop(): void {
      stopped = true;
      for (const timer of timers.values()) clock.clearTimer(timer);
      timers.clear();
    },
  };
}
