import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  imageRefusal,
  installRefusal,
  packImage,
  signImage,
  toCloudForm,
} from "../../host-sim/imagepackage/index.ts";
import { BUILD_TIME, MANIFEST_ONE, newKey, PRODUCTION, packOne, pattern } from "./support.ts";

const test = suite("what a device refuses to install");

const manifest = (changes: object) => ({ ...JSON.parse(MANIFEST_ONE), ...changes });
const capabilities = (value: object) => manifest({ Capabilities: value });
const code = (value: unknown, context = {}) => installRefusal(value, context)?.code;

test("a sound manifest is taken", () => {
  assert.is(installRefusal(MANIFEST_ONE), undefined);
  const full = capabilities({
    AllowedConnections: ["a.example"],
    AllowedTcpServerPorts: [80],
    AllowedUdpServerPorts: [5353],
    AllowedApplicationConnections: ["01234567-89ab-4cde-8f01-23456789abcd"],
    DeviceAuthentication: "01234567-89ab-4cde-8f01-23456789abcd",
    Gpio: [0, 80],
    Uart: ["ISU0"],
    I2cMaster: ["ISU1"],
    SpiMaster: ["ISU2"],
    Pwm: ["PWM-CONTROLLER-2"],
    Adc: ["ADC-CONTROLLER-0"],
    MutableStorage: { SizeKB: 64 },
    PowerControls: ["ForceReboot"],
    WifiConfig: true,
    "DeviceAuthentication ": null,
    SystemTime: null,
  });
  assert.is(installRefusal(full), undefined);
});

for (const [expected, what, value] of [
  [2097153, "text that is no JSON", "{"],
  [2097153, "a list", "[]"],
  [2097155, "no entry point", manifest({ EntryPoint: undefined })],
  [2097156, "no schema version", manifest({ SchemaVersion: undefined })],
  [2097157, "no arguments", manifest({ CmdArgs: undefined })],
  [2097157, "arguments that are numbers", manifest({ CmdArgs: [1] })],
  [2097158, "no capabilities", manifest({ Capabilities: undefined })],
  [2097158, "capabilities that are a list", manifest({ Capabilities: [] })],
  [2097161, "a host that is a number", capabilities({ AllowedConnections: [1] })],
  [2097162, "a pin that is a name", capabilities({ Gpio: ["$LED"] })],
  [2097165, "a controller that is a number", capabilities({ SpiMaster: [1] })],
  [2097167, "a flag that is a text", capabilities({ WifiConfig: "true" })],
  [2097168, "an entry point that is relative", manifest({ EntryPoint: "bin/app" })],
  [2097168, "an entry point that leaves the image", manifest({ EntryPoint: "/../app" })],
  [2097169, "another schema version", manifest({ SchemaVersion: 2 })],
  [2097170, "an unknown UART", capabilities({ Uart: ["ISU9"] })],
  [2097176, "a tenant that is no GUID", capabilities({ DeviceAuthentication: "x" })],
  [2097181, "a tenant that is too long", capabilities({ DeviceAuthentication: "x".repeat(40) })],
  [2097178, "an unknown type", manifest({ ApplicationType: "Other" })],
  [2097182, "SystemTime", capabilities({ SystemTime: 1 })],
  [2097183, "storage that is a number", capabilities({ MutableStorage: 8 })],
  [2097184, "storage without size", capabilities({ MutableStorage: {} })],
  [2097185, "storage of a text", capabilities({ MutableStorage: { SizeKB: "8" } })],
  [2097186, "too much storage", capabilities({ MutableStorage: { SizeKB: 65 } })],
  [2097187, "two peripherals on a pin", capabilities({ Gpio: [8], Pwm: ["PWM-CONTROLLER-2"] })],
  [2097188, "TCP ports that are texts", capabilities({ AllowedTcpServerPorts: ["80"] })],
  [2097189, "UDP ports that are texts", capabilities({ AllowedUdpServerPorts: ["80"] })],
  [2097190, "a reserved TCP port", capabilities({ AllowedTcpServerPorts: [443] })],
  [2097191, "a reserved UDP port", capabilities({ AllowedUdpServerPorts: [68] })],
  [2097192, "TimeSyncConfig", capabilities({ TimeSyncConfig: {} })],
  [2097193, "DhcpService", capabilities({ DhcpService: 0 })],
  [2097194, "SntpService", capabilities({ SntpService: 0 })],
  [2097195, "a partner that is no GUID", capabilities({ AllowedApplicationConnections: ["x"] })],
  [2097196, "CertStore", capabilities({ CertStore: 0 })],
  [2097197, "EnterpriseWifiConfig", capabilities({ EnterpriseWifiConfig: 0 })],
  [2097198, "SystemEventNotifications", capabilities({ SystemEventNotifications: 0 })],
  [2097199, "SoftwareUpdateDeferral", capabilities({ SoftwareUpdateDeferral: 0 })],
  [
    2097200,
    "a power control twice",
    capabilities({ PowerControls: ["ForceReboot", "ForceReboot"] }),
  ],
  [2097201, "no power controls", capabilities({ PowerControls: [] })],
  [2097202, "an unknown power control", capabilities({ PowerControls: ["Sleep"] })],
  [2097203, "HardwareAddressConfig", capabilities({ HardwareAddressConfig: 0 })],
  [2097208, "ReadNetworkProxyConfig", capabilities({ ReadNetworkProxyConfig: 0 })],
  [2097209, "ResetMemoryWatermarks", capabilities({ ResetMemoryWatermarks: 0 })],
  [2097210, "HeapMemStats", capabilities({ HeapMemStats: 0 })],
  [2097211, "an unknown allocator", manifest({ MallocVersion: 3 })],
  [5242883, "a pin that does not exist", capabilities({ Gpio: [25] })],
  [5242887, "a controller that does not exist", capabilities({ Pwm: ["PWM-CONTROLLER-3"] })],
] as const) {
  test(`${what}: ${expected}`, () => {
    assert.is(code(value), expected);
  });
}

test("entry point and pins are looked for in the image and among other applications", () => {
  assert.is(code(MANIFEST_ONE, { files: ["app_manifest.json"] }), 2097174);
  assert.is(code(MANIFEST_ONE, { files: ["bin/app/x"] }), 2097175);
  assert.is(code(MANIFEST_ONE, { files: ["app.wasm"] }), undefined);
  const uart = capabilities({ Uart: ["ISU0"] });
  assert.is(code(uart, { pinsInUse: new Set([27]) }), 1048601);
});

const { signer, trust: trusted } = newKey("lab");

test("a package is taken when all of it is sound, plain or compressed", () => {
  const image = packOne({ signer });
  assert.is(imageRefusal(image, { trusted }), undefined);
  const cloud = toCloudForm(image, { signer, signingTime: BUILD_TIME });
  assert.is(imageRefusal(cloud, { trusted, apiSet: 16, freeBytes: 20_000 }), undefined);
});

test("a package is refused with the number of the reason", () => {
  const image = packOne({ signer });
  const damaged = Buffer.from(image);
  damaged[0x1000] = 0;
  assert.is(imageRefusal(damaged, { trusted })?.code, 7340050);
  assert.is(imageRefusal(packOne(), { trusted })?.code, 7340047);
  assert.is(imageRefusal(signImage(image, PRODUCTION), { trusted })?.code, 7340047);
  assert.is(imageRefusal(image, { trusted, freeBytes: 100 })?.code, 7340034);
  assert.is(imageRefusal(image, { trusted, apiSet: 13 })?.code, 7340072);
  const pins = packImage({
    manifest: JSON.stringify(capabilities({ Gpio: [0] })),
    files: [{ path: "bin/app", content: pattern(3) }],
    ...{ signer, buildTime: 0, apiSet: 16 },
  });
  assert.is(imageRefusal(pins, { trusted, pinsInUse: new Set([0]) })?.code, 1048601);
});

test.run();
