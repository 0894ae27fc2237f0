/** Says how long it has been up; the cloud sets how often it says so, and switches the LED. */
import { clock, every, gpio, iothub, log, reschedule, twin } from "spherule/assembly/sphere";
import { LED_STATUS } from "./board";

const DEFAULT_INTERVAL: i32 = 5;

// The LED of the board shines when its pin is low.
const led = gpio.output(LED_STATUS, gpio.HIGH);
const sending = every(DEFAULT_INTERVAL * 1000, send);
let interval: i32 = DEFAULT_INTERVAL;

twin.onDesired("intervalSeconds", (change) => {
  const wanted = change.value.isNull ? f64(DEFAULT_INTERVAL) : change.value.number();
  if (!(wanted >= 1 && wanted <= 3600)) {
    change.answerNumber(400, interval, "a number from 1 to 3600 is needed");
    return;
  }
  interval = i32(wanted);
  reschedule(sending, interval * 1000);
  change.answerNumber(change.value.isNull ? 203 : 200, interval, "in force");
});

iothub.onMethod("setLed", (request) => {
  if (!request.payload.isBool) {
    request.answer().text("true or false is needed");
    return 400;
  }
  const on = request.payload.bool();
  led.write(on ? gpio.LOW : gpio.HIGH);
  log.info(on ? "LED on" : "LED off");
  request.answer().text(on ? "on" : "off");
  return 200;
});

iothub.connect();
send();

function send(): void {
  const seconds = f64(clock.monotonic() / 1000);
  iothub.telemetry().number("uptimeSeconds", seconds).time("timestamp").send();
}
