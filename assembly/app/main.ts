/**
 * A thermometer. It sends the temperature to IoT Hub, its interval is a desired property, button A
 * switches the upload off and on, button B sends an event, and the LED shines while it uploads.
 * Direct methods start a recording, during which no update replaces the app.
 */
import { application, every, gpio, iothub, log, reschedule, twin } from "../sphere";
import { BUTTON_A, BUTTON_B, LED_STATUS } from "./board";
import { endRecording } from "./recording";
import { readTemperature } from "./sensor";

const MODEL_ID = "dtmi:spherule:thermometer;1";
const SERIAL_NUMBER = "THERMO-0001";
const DEFAULT_INTERVAL = 5;
const LONGEST_INTERVAL = 86_400;

let interval: i32 = DEFAULT_INTERVAL;
let uploading: bool = true;

// The LED of the board shines when its pin is low.
const led = gpio.output(LED_STATUS, gpio.LOW);
const upload = every(DEFAULT_INTERVAL * 1000, sendTemperature);

gpio.input(BUTTON_A).onChange((level) => {
  if (level === gpio.LOW) setUploading(!uploading);
});

gpio.input(BUTTON_B).onChange((level) => {
  if (level === gpio.LOW) {
    iothub.telemetry().text("event", "buttonB").time("timestamp").property("kind", "event").send();
  }
});

twin.onDesired("telemetryIntervalSeconds", (change) => {
  const seconds = change.value.number();
  if (change.value.isNull) {
    setInterval(DEFAULT_INTERVAL);
    change.answerNumber(203, DEFAULT_INTERVAL, "default");
  } else if (seconds >= 1 && seconds <= LONGEST_INTERVAL && seconds === Math.floor(seconds)) {
    setInterval(i32(seconds));
    change.accept();
  } else {
    change.answerNumber(400, interval, `a whole number from 1 to ${LONGEST_INTERVAL} is needed`);
  }
});

iothub.onMethod("displayAlert", (request) => {
  log.warn(`ALERT: ${request.text()}`);
  request.answer().text("alert displayed");
  return 200;
});

iothub.onMessage((message) => {
  log.info(`message from the cloud: ${message.text()}`);
});

iothub.onConnection((connected, reason) => {
  log.info(connected ? "connected to the hub" : `not connected, reason ${reason}`);
  if (connected) twin.report().text("serialNumber", SERIAL_NUMBER).send();
});

application.onStop(() => {
  endRecording();
  log.info("goodbye");
});

iothub.connect(MODEL_ID);
log.info("thermometer started");
sendTemperature();

function sendTemperature(): void {
  if (!uploading) return;
  iothub.telemetry().number("temperature", readTemperature()).time("timestamp").send();
}

function setInterval(seconds: i32): void {
  if (seconds === interval) return;
  interval = seconds;
  reschedule(upload, seconds * 1000);
  log.info(`sending every ${seconds} s`);
}

function setUploading(on: bool): void {
  uploading = on;
  led.write(on ? gpio.LOW : gpio.HIGH);
  log.info(on ? "upload on" : "upload off");
}
