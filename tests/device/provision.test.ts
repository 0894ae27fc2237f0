import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import {
  PROVISIONED,
  provision,
  TRANSPORT_FAILED,
} from "../../host-sim/device/hub-client/provision.ts";
import { makeAuthority, makeLeaf } from "../hub/support.ts";
import { DPS_ROOT, ENDPOINT, type Step, startService } from "./dps.ts";

const test = suite("provisioning over MQTT and mutual TLS");
const DEVICE = "0123456789abcdef";

async function register(steps: readonly Step[], refuse = 0, json = "") {
  const clock = new SteppedClock(Date.now());
  const authority = makeAuthority(clock);
  const { key, cert } = makeLeaf(authority, DEVICE, clock.now());
  const service = await startService(steps, authority.certificate, refuse);
  let result: readonly [number, string, string] | undefined;
  const stop = provision(
    {
      route: { host: "127.0.0.1", port: service.port, ca: DPS_ROOT },
      hostName: ENDPOINT,
      idScope: "0ne00000001",
      json,
      registrationId: DEVICE,
      credentials: { key, certificate: cert, notAfter: clock.now() + 1, tenantId: "" },
      clock,
    },
    (code, hub, deviceId) => {
      result = [code, hub, deviceId];
    },
  );
  const started = clock.monotonic();
  while (!result) {
    clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  stop();
  await service.stop();
  return { result, seen: service.seen, waitedMs: clock.monotonic() - started };
}

const assigning = { operationId: "op.1", status: "assigning" };
const assigned = {
  ...{ operationId: "op.1", status: "assigned" },
  registrationState: { status: "assigned", assignedHub: "hub.example", deviceId: DEVICE },
};

test("registers with its certificate, polls as asked, and gets its hub", async () => {
  const steps = [
    { status: 202, query: "&retry-after=3", body: assigning },
    { status: 200, body: assigned },
  ];
  const { result, seen, waitedMs } = await register(steps, 0, '{"modelId":"dtmi:x;1"}');
  assert.equal(result, [PROVISIONED, "hub.example", DEVICE]);
  assert.is(seen.connect.clientId, DEVICE);
  assert.is(seen.connect.subject, `CN=${DEVICE}`);
  assert.match(
    seen.connect.username,
    /^0ne00000001\/registrations\/0123456789abcdef\/api-version=/,
  );
  assert.is(seen.requests[0]?.topic, "$dps/registrations/PUT/iotdps-register/?$rid=1");
  assert.equal(JSON.parse(seen.requests[0]?.body ?? ""), {
    registrationId: DEVICE,
    payload: { modelId: "dtmi:x;1" },
  });
  assert.is(
    seen.requests[1]?.topic,
    "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=op.1",
  );
  assert.ok(waitedMs >= 3_000, `${waitedMs} ms`);
});

for (const [what, step, expected] of [
  ["a device that is not enrolled", { status: 401, body: {} }, 12],
  ["a service in trouble", { status: 500, body: {} }, 10],
  ["a disabled enrollment", { status: 200, body: { status: "disabled" } }, 13],
  ["a failed registration", { status: 200, body: { status: "failed" } }, 10],
  ["an assignment without a hub", { status: 200, body: { status: "assigned" } }, 11],
] as const) {
  test(`${what} gives ${expected}`, async () => {
    assert.equal((await register([step])).result, [expected, "", ""]);
  });
}

test("a CONNACK that refuses the device is UNAUTHORIZED", async () => {
  assert.equal((await register([], 5)).result, [12, "", ""]);
});

test("a service that is not there is TRANSPORT", async () => {
  const clock = new SteppedClock(Date.now());
  const authority = makeAuthority(clock);
  const { key, cert } = makeLeaf(authority, DEVICE, clock.now());
  const service = await startService([], authority.certificate);
  await service.stop();
  const result = await new Promise((resolve) => {
    provision(
      {
        route: { host: "127.0.0.1", port: service.port, ca: DPS_ROOT },
        ...{ hostName: ENDPOINT, idScope: "0ne1", json: "", registrationId: DEVICE },
        credentials: { key, certificate: cert, notAfter: 0, tenantId: "" },
        clock,
      },
      (code, hub, deviceId) => resolve([code, hub, deviceId]),
    );
  });
  assert.equal(result, [TRANSPORT_FAILED, "", ""]);
});

test.run();
