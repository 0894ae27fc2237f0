import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { signImage, verifyImage } from "../../host-sim/imagepackage/index.ts";
import { developmentKey, labTrustStore } from "../../host-sim/lab/signing-key.ts";
import { packOne, refused } from "../imagepackage/support.ts";

const test = suite("the lab's signing key");
const folder = mkdtempSync(join(tmpdir(), "spherule-test-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

test("is made once, for its owner only, and trusted by the lab", () => {
  assert.is(labTrustStore(folder).size, 0);
  const key = developmentKey(folder);
  assert.is(developmentKey(folder).signer.thumbprint, key.signer.thumbprint);
  assert.is(statSync(key.file).mode & 0o777, 0o600);
  const image = signImage(packOne(), key.signer);
  assert.is(verifyImage(image, labTrustStore(folder)).verdict, "valid");
});

test("another state folder has another key, which is not trusted here", () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "spherule-test-"));
  const image = signImage(packOne(), developmentKey(elsewhere).signer);
  assert.is(verifyImage(image, labTrustStore(folder)).verdict, "unknown signer");
  rmSync(elsewhere, { recursive: true });
});

test("a damaged key is told with its file and left as it is", () => {
  const { file } = developmentKey(folder);
  writeFileSync(file, "no key");
  assert.match(refused("signing-key-damaged", () => developmentKey(folder)).message, file);
  refused("signing-key-damaged", () => labTrustStore(folder));
});

test.run();
