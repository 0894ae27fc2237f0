import {
  createHttpPoller,
  type LongRunningOperation,
  type LroResponse,
  type OperationState,
} from "@azure/core-lro";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { manufactureDevice } from "../../host-sim/security-service/index.ts";
import { makePackage, startService, type TestService } from "./support.ts";

const test = suite("Microsoft's own poller and the Security Service");
const OPERATION_MS = 3_000;

interface Resource {
  readonly name?: string;
  readonly properties?: { readonly imageName?: string };
}

/** The service as Azure's SDKs see it: each look at an operation takes a second of the lab's. */
function operation(
  lab: TestService,
  method: string,
  path: string,
  body: object,
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

test("waits for PUT and POST, and comes back with what they made", async () => {
  const lab = await startService({ operationMs: OPERATION_MS });
  const run = async (method: string, path: string, body: object) => {
    const resourceLocationConfig = method === "POST" ? "location" : undefined;
    const poller = await createHttpPoller<
      Resource | undefined,
      OperationState<Resource | undefined>
    >(operation(lab, method, path, body), {
      ...{ intervalInMs: 1, resourceLocationConfig },
    });
    const from = lab.clock.now();
    const result = await poller.pollUntilDone();
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
  await lab.stop();
});

test.run();
