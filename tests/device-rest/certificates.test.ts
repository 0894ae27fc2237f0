import { createPrivateKey } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createCertificate, generateKeyPair, privateKeyPem } from "../../host-sim/pki/index.ts";
import { refusal, startRest, type TestRest } from "./support.ts";

const test = suite("the certificate store over the device REST API");
const CERTS = "/certstore/certs";
const PASSWORD = "open sesame";

function make(commonName: string, authority = false) {
  const key = generateKeyPair();
  const subject = { C: "US", O: "Contoso/West", CN: commonName };
  const publicCert = createCertificate({
    ...{ subject, issuer: subject, publicKey: key.publicKey, issuerKey: key },
    notBefore: Date.UTC(2022, 5, 17, 9, 12, 46),
    notAfter: Date.UTC(2032, 5, 17, 9, 12, 46),
    ...(authority ? { authority: {} } : { usage: "client" as const }),
  });
  return { publicCert, privateKey: privateKeyPem(key.privateKey) };
}

const root = { certType: "rootca", publicCert: make("root", true).publicCert };
const client = { certType: "client", ...make("client") };
const encryptedKey = createPrivateKey(client.privateKey).export({
  ...{ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: PASSWORD },
}) as string;

let device: TestRest;
test.before.each(async () => {
  device = await startRest();
});
test.after.each(() => device.stop());

const add = (id: string, body: unknown) => device.call("POST", `${CERTS}/${id}`, body);
const space = async () => Number((await device.get("/certstore/space")).json.AvailableSpace);
const identifiers = async () => (await device.get(CERTS)).json.identifiers;

test("the empty store has 24514 bytes, told as a text", async () => {
  assert.is((await device.get("/certstore/space")).text, '{"AvailableSpace":"24514"}');
  assert.is((await device.get(CERTS)).text, '{"identifiers":[]}');
});

test("a root and a client certificate are added, shown and removed", async () => {
  assert.is((await add("root.1", root)).text, "{}");
  assert.is((await add("client_1", { ...client, certType: "Client" })).text, "{}");
  assert.equal(await identifiers(), ["client_1", "root.1"]);
  assert.is(
    (await device.get(`${CERTS}/client_1`)).text,
    '{"id":"client_1","notBefore":"2022-06-17T09:12:46","notAfter":"2032-06-17T09:12:46",' +
      '"subjectName":"\\/C=US\\/O=Contoso\\/West\\/CN=client",' +
      '"issuerName":"\\/C=US\\/O=Contoso\\/West\\/CN=client"}',
  );
  assert.is((await device.call("DELETE", `${CERTS}/client_1`)).text, "{}");
  assert.equal(await identifiers(), ["root.1"]);
});

test("an encrypted key needs its password; nothing of either is ever shown", async () => {
  const encrypted = { ...client, privateKey: encryptedKey };
  assert.equal(refusal(await add("c", encrypted)), [400, 38797327]);
  assert.equal(refusal(await add("c", { ...encrypted, password: "wrong" })), [400, 38797327]);
  assert.is((await add("c", { ...encrypted, password: PASSWORD })).status, 200);
  const { text } = await device.get(`${CERTS}/c`);
  assert.not.match(text, PASSWORD);
  assert.not.match(text, "PRIVATE");
});

test("space goes with what is stored and comes back with what is removed", async () => {
  await add("root", root);
  const left = await space();
  assert.ok(left < 24_514 - root.publicCert.length);
  await add("root", root);
  assert.is(await space(), left);
  await device.call("DELETE", `${CERTS}/root`);
  assert.is(await space(), 24_514);
});

test("a full store takes no more and keeps what it has", async () => {
  let count = 0;
  for (; (await add(`root${count}`, root)).status === 200; count++);
  assert.ok(count > 10);
  assert.equal(refusal(await add("next", root)), [400, 38797323]);
  assert.is((await identifiers()).length, count);
  assert.is((await add("root0", root)).status, 200);
});

for (const [what, id, body, number] of [
  ["an id of 17", "x".repeat(17), root, 38797316],
  ["an id with a blank", "a%20b", root, 38797314],
  ["an id with a slash", "a%2Fb", root, 38797314],
  ["an unknown type", "a", { ...root, certType: "server" }, 38797324],
  ["a type that is a number", "a", { ...root, certType: 1 }, 10485761],
  ["no certificate", "a", { certType: "rootca" }, 10485761],
  ["an empty certificate", "a", { ...root, publicCert: "" }, 38797325],
  ["a certificate that is none", "a", { ...root, publicCert: "hello" }, 38797325],
  ["a certificate of 8193 bytes", "a", { ...root, publicCert: "x".repeat(8193) }, 38797326],
  ["a root with a key", "a", { ...client, certType: "rootca" }, 38797329],
  ["a root with a password", "a", { ...root, password: "x" }, 38797331],
  ["a client without a key", "a", { ...client, privateKey: undefined }, 38797327],
  ["a client with a broken key", "a", { ...client, privateKey: "hello" }, 38797327],
  ["a key of 8193 bytes", "a", { ...client, privateKey: "x".repeat(8193) }, 38797328],
  ["somebody else's key", "a", { ...client, privateKey: make("x").privateKey }, 38797332],
  ["a password for a plain key", "a", { ...client, password: "x" }, 38797333],
  ["a password of 257", "a", { ...client, password: "x".repeat(257) }, 38797330],
] as const) {
  test(`${what} is refused with ${number}, and nothing is stored`, async () => {
    assert.equal(refusal(await add(id, body)), [400, number]);
    assert.equal(await identifiers(), []);
  });
}

test("a refused replacement leaves the certificate that was there", async () => {
  await add("a", root);
  const before = (await device.get(`${CERTS}/a`)).text;
  assert.is((await add("a", { ...client, privateKey: "hello" })).status, 400);
  assert.is((await device.get(`${CERTS}/a`)).text, before);
});

test("a certificate that is not there is not found, also under a name of every object", async () => {
  for (const id of ["none", "constructor", "__proto__"]) {
    assert.equal(refusal(await device.get(`${CERTS}/${id}`)), [404, 38797319], id);
    assert.equal(refusal(await device.call("DELETE", `${CERTS}/${id}`)), [404, 38797319], id);
  }
  assert.equal(refusal(await device.get(`${CERTS}/${"x".repeat(17)}`)), [400, 38797316]);
});

test.run();
