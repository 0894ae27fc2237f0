/**
 * A recording: the temperature every ten seconds for some minutes, and what came of it in one
 * message. Until its end it is in memory alone, and a restart would lose it: it is the app's critical
 * section. An update that comes meanwhile is put off until the recording is over.
 */
import { after, cancel, clock, every, iothub, log, sysevent } from "../sphere";
import { readTemperature } from "./sensor";

const SAMPLE_MS = 10_000;
const MINUTE_MS = 60_000;
const LONGEST_MINUTES = 1440;

let recording: bool = false;
/** On the monotonic clock. */
let endsAt: i64 = 0;
let sampling: i32 = 0;
let ending: i32 = 0;
let count: i32 = 0;
let minimum: f64 = 0;
let maximum: f64 = 0;
let sum: f64 = 0;
/** Whether an update waits for the end. */
let updateWaits: bool = false;

iothub.onMethod("startRecording", (request) => {
  const minutes = request.payload.number();
  if (recording) {
    request.answer().text("a recording is going on");
    return 409;
  }
  if (!(minutes >= 1 && minutes <= LONGEST_MINUTES && minutes === Math.floor(minutes))) {
    request.answer().text(`whole minutes from 1 to ${LONGEST_MINUTES} are needed`);
    return 400;
  }
  startRecording(i32(minutes));
  request.answer().text("recording");
  return 200;
});

iothub.onMethod("stopRecording", (request) => {
  const going = recording;
  endRecording();
  request.answer().text(going ? "recording ended" : "nothing is recorded");
  return going ? 200 : 409;
});

sysevent.onUpdate(sysevent.READY_FOR_INSTALL, (_event, status) => {
  if (status === sysevent.PENDING) putUpdateOff();
});

function startRecording(minutes: i32): void {
  recording = true;
  endsAt = clock.monotonic() + minutes * MINUTE_MS;
  count = 0;
  sum = 0;
  minimum = Infinity;
  maximum = -Infinity;
  sampling = every(SAMPLE_MS, sample);
  ending = after(minutes * MINUTE_MS, finish);
  log.info(`recording for ${minutes} min`);
  sample();
  // Perhaps one has been announced a moment ago.
  putUpdateOff();
}

function sample(): void {
  const temperature = readTemperature();
  count++;
  sum += temperature;
  minimum = Math.min(minimum, temperature);
  maximum = Math.max(maximum, temperature);
}

/** Sends what there is of a recording that goes on; for `onStop`, because not all updates wait. */
export function endRecording(): void {
  if (recording) finish();
}

function finish(): void {
  recording = false;
  cancel(sampling);
  cancel(ending);
  log.info(`recording ended with ${count} samples`);
  iothub
    .telemetry()
    .number("minimum", minimum)
    .number("maximum", maximum)
    .number("mean", Math.round((sum / count) * 100) / 100)
    .number("samples", count)
    .time("timestamp")
    .property("kind", "recording")
    .send();
  if (!updateWaits) return;
  updateWaits = false;
  sysevent.resume();
}

/** Asks for as many minutes as the recording still takes. */
function putUpdateOff(): void {
  if (!recording) return;
  const minutes = i32((endsAt - clock.monotonic() + MINUTE_MS - 1) / MINUTE_MS);
  updateWaits = sysevent.defer(minutes);
  if (updateWaits) log.info(`update deferred for ${minutes} min`);
}
