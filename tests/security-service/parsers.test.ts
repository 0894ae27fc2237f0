import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LabError } from "../../host-sim/errors.ts";
import { matches, parseFilter } from "../../host-sim/security-service/arm/filter.ts";
import { startService } from "./support.ts";

const test = suite("what the Security Service reads from strangers");

test("a filter that cannot be read is refused with a hint, whatever it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      try {
        parseFilter(text);
      } catch (error) {
        assert.ok(error instanceof LabError && error.code === "filter-invalid");
      }
    }),
  );
});

test("a filter finds exactly the resources that have the value, whatever is in it", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (wanted, other) => {
      const terms = parseFilter(`name eq '${wanted.replaceAll("'", "''")}'`);
      assert.is(matches({ name: wanted }, terms), true);
      const same = wanted.toLowerCase() === other.toLowerCase();
      assert.is(matches({ properties: { name: other } }, terms), same);
    }),
  );
});

test("no path, name or body is ever answered with an internal error", async () => {
  const lab = await startService();
  const part = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom(".default", "active", ".."));
  const paths = fc.constantFrom(
    ...["products", "images", "certificates", "products/.default/deviceGroups"],
    ...["products/Fridge/deviceGroups/A/devices", "products/Fridge/deviceGroups/A/deployments"],
  );
  lab.service.products.put(lab.tenantId, "Fridge", "");
  lab.service.products.putGroup(lab.tenantId, { product: "Fridge", group: "A" }, {});
  const methods = fc.constantFrom("GET", "PUT", "PATCH", "POST", "DELETE");
  await fc.assert(
    fc.asyncProperty(methods, paths, part, fc.json(), async (method, path, name, json) => {
      const target = `${lab.catalog}/${path}/${encodeURIComponent(name)}`;
      const reply = await lab.arm(method, target, Buffer.from(json));
      assert.ok(reply.status < 500, `${method} ${target} ${json}: ${reply.bytes}`);
    }),
    { numRuns: 150 },
  );
  await lab.stop();
});

test("no request of a device is ever answered with an internal error", async () => {
  const lab = await startService();
  const paths = fc.constantFrom("attestation", "attestation/nonce", "update/manifest", "x");
  const field = fc.oneof(fc.string(), fc.jsonValue());
  const bodies = fc.record(
    { deviceId: field, nonce: field, publicKey: field, signature: field, installed: field },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(paths, bodies, async (path, body) => {
      const reply = await lab.arm("POST", `${lab.url}/device/v1/${path}`, body);
      assert.ok(reply.status < 500, `${path} ${JSON.stringify(body)}: ${reply.bytes}`);
    }),
    { numRuns: 150 },
  );
  await lab.stop();
});

test.run();
