import {
  createHttpPoller,
  type LongRunningOperation,
  type LroResponse,
  type OperationState,
} from "@azure/core-lro";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { manufactureDevice, newSigningKey } from "../../host-sim/security-service/index.ts";
import { makePackage, startService, type TestService } from "./support.ts";

const test = suite("Microsoft's own poller and the Security Service");
const OPERATION_MS = 1_500;
const FRIDGE_DEVELOPMENT = { product: "Fridge", group: "Development" };

interface Resource {
  readonly id?: string;
  readonly name?: string;
  readonly image?: string;
  readonly properties?: { readonly imageName?: string };
}

/** The service as Azure's SDKs see it: each look at an operation takes a second of the lab's. */
function operation(
  lab: TestService,
  method: string,
  path: string,
  body?: object,
): LongRunningOperation<Resource | undefined> {
  async function ask(way: string, target: string, content?: object) {
    const { status, headers, body: answer } = await lab.arm(way, target, content);
    lab.clock.advance(1_000);
    const request = { method: way, url: target };
    const rawResponse = { statusCode: status, headers, body: answer, request };
    return { flatResponse: answer, rawResponse } as unknown as LroResponse<Resource | undefined>;
  }
  return {
    requestMethod: method,
    requestPath: path,
    sendInitialRequest: () => ask(method, path, body),
    sendPollRequest: (target) => ask("GET", target),
  };
}

test("waits for PUT, POST, PATCH and DELETE, and comes back with what they made", async () => {
  const lab = await startService({ operationMs: OPERATION_MS });
  const run = async (method: string, path: string, body?: object) => {
    const resourceLocationConfig = method === "POST" ? "location" : undefined;
    const poller = await createHttpPoller<
      Resource | undefined,
      OperationState<Resource | undefined>
    >(operation(lab, method, path, body), {
      ...{ intervalInMs: 1, resourceLocationConfig },
    });
    const from = lab.clock.now();
    const result = await poller.pollUntilDone().catch((error) => {
      throw new Error(`${method} ${path}: ${error.message}`);
    });
    assert.ok(lab.clock.now() - from >= OPERATION_MS - 1_000, `${method} ${path} was polled`);
    return result;
  };
  const product = await run("PUT", `${lab.catalog}/products/Fridge`, {});
  assert.is(product?.name, "Fridge");
  const image = makePackage({ signer: lab.developer }).toString("base64");
  const uploaded = await run("POST", `${lab.catalog}/uploadImage`, { properties: { image } });
  assert.is(uploaded?.properties?.imageName, "TestApp");
  const deviceIdentifiers = [manufactureDevice().deviceId];
  const group = `${lab.catalog}/products/Fridge/deviceGroups/Development`;
  assert.is(await run("POST", `${group}/claimDevices`, { deviceIdentifiers }), undefined);
  assert.is(lab.service.devices.list(lab.tenantId).length, 1);
  const device = `${group}/devices/${deviceIdentifiers[0]}`;
  const deviceGroupId = `${lab.catalog}/products/Fridge/deviceGroups/Production`;
  const moved = await run("PATCH", device, { properties: { deviceGroupId } });
  assert.match(moved?.id ?? "", "/deviceGroups/Production/devices/");
  const capabilities = ["ApplicationDevelopment"];
  const capability = await run("POST", `${moved?.id}/generateCapabilityImage`, { capabilities });
  assert.ok(capability?.image);
  await run("DELETE", group);
  assert.is(lab.service.products.findGroup(lab.tenantId, FRIDGE_DEVELOPMENT), undefined);
  await lab.stop();
});

test("ends with the service's words when the work fails", async () => {
  const lab = await startService({ operationMs: OPERATION_MS });
  lab.service.products.put(lab.tenantId, "Fridge", "");
  const { deviceId } = manufactureDevice();
  lab.service.claim(lab.service.createTenant("fabrikam").tenantId, deviceId);
  const group = `${lab.catalog}/products/Fridge/deviceGroups/Development`;
  const fails = async (method: string, path: string, body: object) => {
    const poller = await createHttpPoller(operation(lab, method, path, body), { intervalInMs: 1 });
    return poller.pollUntilDone().then(
      () => "it did not fail",
      (error: Error) => error.message,
    );
  };
  const claim = { deviceIdentifiers: [deviceId] };
  const foreign = "has already been claimed into another tenant";
  assert.match(await fails("POST", `${group}/claimDevices`, claim), foreign);
  assert.match(await fails("PUT", `${group}/devices/${deviceId}`, {}), foreign);
  const image = makePackage({ signer: newSigningKey("a stranger", 0) }).toString("base64");
  const untrusted = await fails("POST", `${lab.catalog}/uploadImage`, { properties: { image } });
  assert.match(untrusted, "whom this service does not know");
  await lab.stop();
});

test.run();
