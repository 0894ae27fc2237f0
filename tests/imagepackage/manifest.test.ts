import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LabError } from "../../host-sim/errors.ts";
import {
  parseManifest,
  readHardwareDefinition,
  refuseConflicts,
  rewriteManifest,
} from "../../host-sim/imagepackage/index.ts";
import { packageFolder } from "../../host-sim/paths.ts";
import { refused, sha256 } from "./support.ts";

const test = suite("application manifest");
const folder = mkdtempSync(join(tmpdir(), "spherule-test-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

type Peripheral = readonly [name: string, type: string, mapping: string];

/** Writes a hardware definition whose peripherals map to those of the imported file. */
function definition(name: string, imported: string, peripherals: readonly Peripheral[]): string {
  const file = join(folder, name);
  const content = {
    Metadata: { Type: "Azure Sphere Hardware Definition", Version: 1 },
    Description: { Name: name },
    Imports: [{ Path: imported }],
    Peripherals: peripherals.map(([Name, Type, Mapping]) => ({ Name, Type, Mapping })),
  };
  writeFileSync(file, JSON.stringify(content));
  return file;
}

const CHIP = join(packageFolder(), "hardware-definitions");

function greenhouse() {
  definition("fern_board.json", "mt3620.json", [
    ["FERN_LED_RED", "Gpio", "MT3620_GPIO8"],
    ["FERN_BUTTON_A", "Gpio", "MT3620_GPIO12"],
    ["FERN_ISU2_I2C", "I2cMaster", "MT3620_ISU2_I2C"],
    ["FERN_PWM1", "Pwm", "MT3620_PWM_CONTROLLER1"],
    ["FERN_ADC", "Adc", "MT3620_ADC_CONTROLLER0"],
  ]);
  const file = definition("greenhouse.json", "fern_board.json", [
    ["STATUS_LED", "Gpio", "FERN_LED_RED"],
    ["DOOR_SWITCH", "Gpio", "FERN_BUTTON_A"],
    ["CLIMATE_SENSOR", "I2cMaster", "FERN_ISU2_I2C"],
    ["FAN", "Pwm", "FERN_PWM1"],
    ["SOIL", "Adc", "FERN_ADC"],
  ]);
  return readHardwareDefinition(file, [CHIP]);
}

const SOURCE = `{
  "SchemaVersion": 1,
  "Name": "Greenhouse",
  "ComponentId": "7E5A0B1C-2D3E-4F50-8192-a3b4c5d6e7f8",
  "EntryPoint": "/bin/app",
  "CmdArgs": [ "--every", "60" ],
  "Capabilities": {
    "AllowedConnections": [ "global.azure-devices-provisioning.net" ],
    "Gpio": [ "$STATUS_LED", "$DOOR_SWITCH", 4 ],
    "I2cMaster": [ "$CLIMATE_SENSOR" ],
    "Pwm": [ "$FAN" ],
    "Adc": [ "$SOIL" ],
    "MutableStorage": { "SizeKB": 8 },
    "DeviceAuthentication": "00000000-0000-0000-0000-000000000000"
  },
  "ApplicationType": "Default"
}
`.replaceAll("\n", "\r\n");

test("is rewritten compactly, names replaced, the API set last", () => {
  const packed = rewriteManifest(SOURCE, { hardware: greenhouse(), apiSet: 16 });
  assert.is(
    packed,
    '{"SchemaVersion":1,"Name":"Greenhouse","ComponentId":"7E5A0B1C-2D3E-4F50-8192-a3b4c5d6e7f8",' +
      '"EntryPoint":"/bin/app","CmdArgs":["--every","60"],"Capabilities":{"AllowedConnections":' +
      '["global.azure-devices-provisioning.net"],"Gpio":[8,12,4],"I2cMaster":["ISU2"],"Pwm":' +
      '["PWM-CONTROLLER-1"],"Adc":["ADC-CONTROLLER-0"],"MutableStorage":{"SizeKB":8},' +
      '"DeviceAuthentication":"00000000-0000-0000-0000-000000000000"},"ApplicationType":"Default",' +
      '"TargetApplicationRuntimeVersion":16}',
  );
  assert.is(sha256(packed), "36e8f9ed19067e133f1866237681213693ac2b5d5606f3047464d6fb3f5858d3");
});

test("without an API set and a hardware definition every byte stays", () => {
  const plain = SOURCE.replaceAll(/"\$[A-Z_]+"(, )?/g, "").replace(
    '"Default"',
    '"RealTimeCapable"',
  );
  const odd = `\uFEFF${plain}\r\n\r\n`;
  assert.is(rewriteManifest(odd, {}), odd);
  refused("peripheral-unknown", () => rewriteManifest(SOURCE, { apiSet: 16 }));
});

test("a real-time capable application keeps out of it what it did not say", () => {
  const { CmdArgs: _arguments, ...rest } = JSON.parse(SOURCE);
  const source = JSON.stringify({ ...rest, ApplicationType: "RealTimeCapable" });
  const packed = JSON.parse(rewriteManifest(source, { hardware: greenhouse() }));
  assert.is(packed.CmdArgs, undefined);
  assert.is(packed.TargetApplicationRuntimeVersion, undefined);
  assert.equal(packed.Capabilities.I2cMaster, ["ISU2"]);
  assert.equal(parseManifest(source).CmdArgs, []);
});

test("unknown keys and their order stay; an older API set is replaced", () => {
  const source = SOURCE.replace(
    '"SchemaVersion"',
    '"TargetApplicationRuntimeVersion": 5, "X": [1], "SchemaVersion"',
  );
  const packed = rewriteManifest(source, {
    hardware: greenhouse(),
    apiSet: 2,
    betaApis: "Beta1905",
  });
  assert.match(packed, /^\{"X":\[1\],"SchemaVersion":1,/);
  assert.match(packed, /"TargetApplicationRuntimeVersion":2,"TargetBetaApis":"Beta1905"\}$/);
});

/** The manifest with other capabilities. */
const withCapabilities = (capabilities: object, changes: object = {}) =>
  JSON.stringify({ ...JSON.parse(SOURCE), Capabilities: capabilities, ...changes }, null, 2);

for (const [what, capabilities, pattern] of [
  [
    "a host with a port",
    { AllowedConnections: ["a.example:443"] },
    /AllowedConnections\.0.*host name/,
  ],
  [
    "a reserved port",
    { AllowedTcpServerPorts: [80, 22] },
    /line 13.*AllowedTcpServerPorts\.1 22.*not use/,
  ],
  ["a port out of range", { AllowedUdpServerPorts: [70_000] }, /70000.*port/],
  [
    "eleven ports",
    { AllowedTcpServerPorts: Array.from({ length: 11 }, (_, at) => 8000 + at) },
    /10 items/,
  ],
  ["a pin that the chip has not", { Gpio: [24] }, /Gpio\.0 24 has to be a GPIO/],
  ["an ISU that the chip has not", { Uart: ["ISU5"] }, /Uart\.0 "ISU5" has to be ISU0 to ISU4/],
  ["storage beyond the limit", { MutableStorage: { SizeKB: 65 } }, /SizeKB 65 has to be KiB, 64/],
  ["a flag that is a text", { WifiConfig: "yes" }, /WifiConfig "yes" must be boolean/],
  ["no power controls", { PowerControls: [] }, /PowerControls/],
  ["a peripheral twice", { Gpio: [1, 1] }, /Gpio/],
  ["a tenant that is no GUID", { DeviceAuthentication: "lab" }, /DeviceAuthentication "lab".*GUID/],
  ["a misspelled capability", { I2CMastr: [] }, /did you mean I2cMaster\?/],
  [
    "a deferral without notifications",
    { SoftwareUpdateDeferral: true },
    /SystemEventNotifications/,
  ],
  [
    "an ISU used twice",
    { Uart: ["ISU1"], I2cMaster: ["ISU1"] },
    /line 15.*I2cMaster ISU1 and Uart ISU1/,
  ],
  [
    "a pin of an ADC",
    { Gpio: [44], Adc: ["ADC-CONTROLLER-0"] },
    /Adc ADC-CONTROLLER-0 and Gpio 44.*pin 44/,
  ],
  ["a pin of a PWM block", { Gpio: [5], Pwm: ["PWM-CONTROLLER-1"] }, /Gpio 5 both use pin 5/],
] as const) {
  test(`${what} is refused with its place`, () => {
    const error = refused("manifest-invalid", () => parseManifest(withCapabilities(capabilities)));
    assert.match(error.message, pattern);
    assert.match(error.message, /line \d+, column \d+/);
  });
}

test("pins that an ISU leaves free can be used", () => {
  parseManifest(withCapabilities({ I2cMaster: ["ISU0"], Gpio: [26, 29, 30] }));
  parseManifest(withCapabilities({ Uart: ["ISU0"], Gpio: [30] }));
});

test("names that meet on one pin are told as they were written", () => {
  const manifest = parseManifest(withCapabilities({ Pwm: ["$FAN"], Gpio: [1, 7] }));
  const error = refused("peripherals-conflict", () => {
    const packed = JSON.parse(
      rewriteManifest(JSON.stringify(manifest), { hardware: greenhouse() }),
    );
    refuseConflicts(manifest.Capabilities, packed.Capabilities);
  });
  assert.match(error.message, "Pwm $FAN and Gpio 7 both use pin 7");
});

test("a peripheral without a value for the manifest is not taken for unknown", () => {
  const file = join(folder, "channels.json");
  const peripherals = [{ Name: "CHANNEL_2", Type: "int", MainCoreHeaderValue: "2" }];
  writeFileSync(file, JSON.stringify({ Peripherals: peripherals }));
  const hardware = readHardwareDefinition(file);
  const source = withCapabilities({ Gpio: ["$CHANNEL_2"] });
  const error = refused("peripheral-unknown", () => rewriteManifest(source, { hardware }));
  assert.match(error.message, "type int has no value");
});

test("imports are looked up beside the file first, then in the folders in order", () => {
  const other = join(folder, "other");
  mkdirSync(other, { recursive: true });
  const chip = (pin: number) =>
    JSON.stringify({ Peripherals: [{ Name: "PIN", Type: "Gpio", AppManifestValue: pin }] });
  writeFileSync(join(other, "chip.json"), chip(1));
  const board = definition("lookup.json", "chip.json", [["LED", "Gpio", "PIN"]]);
  const led = () => readHardwareDefinition(board, [other, CHIP]).peripherals.get("LED");
  assert.is(led()?.manifestValue, 1);
  writeFileSync(join(folder, "chip.json"), chip(2));
  assert.is(led()?.manifestValue, 2);
});

test("a board may use a name of the chip for what it maps to", () => {
  const file = definition("same.json", "mt3620.json", [["MT3620_GPIO0", "Gpio", "MT3620_GPIO3"]]);
  assert.is(readHardwareDefinition(file, [CHIP]).peripherals.get("MT3620_GPIO0")?.manifestValue, 3);
});

for (const [what, content] of [
  ["no JSON", "{"],
  ["a list", "[]"],
  ["an import that is missing", '{"Imports":[{"Path":"none.json"}]}'],
  ["an import of itself", '{"Imports":[{"Path":"broken.json"}]}'],
  ["a mapping to nothing", '{"Peripherals":[{"Name":"A","Type":"Gpio","Mapping":"B"}]}'],
  ["a mapping in a circle", '{"Peripherals":[{"Name":"A","Type":"Gpio","Mapping":"A"}]}'],
  ["a peripheral without type", '{"Peripherals":[{"Name":"A"}]}'],
  ["a name that is no C name", '{"Peripherals":[{"Name":"A B","Type":"Gpio"}]}'],
  ["a name twice", '{"Peripherals":[{"Name":"A","Type":"int"},{"Name":"A","Type":"int"}]}'],
] as const) {
  test(`a hardware definition with ${what} is refused`, () => {
    const file = join(folder, "broken.json");
    writeFileSync(file, content);
    refused("hardware-definition-invalid", () => readHardwareDefinition(file));
  });
}

test("no text makes the parser do anything but answer or refuse", () => {
  const source = withCapabilities({ Gpio: [1], MutableStorage: { SizeKB: 8 } });
  const mutated = fc
    .tuple(fc.nat(source.length), fc.nat(20), fc.oneof(fc.json(), fc.string()))
    .map(([at, length, text]) => source.slice(0, at) + text + source.slice(at + length));
  fc.assert(
    fc.property(fc.oneof(mutated, fc.json(), fc.string()), (text) => {
      try {
        parseManifest(text);
      } catch (error) {
        if (!(error instanceof LabError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test("an editor finds the schema", () => {
  const settings = readFileSync(join(packageFolder(), ".vscode/settings.json"), "utf8");
  const [{ fileMatch, url }] = JSON.parse(settings)["json.schemas"];
  assert.equal(fileMatch, ["app_manifest.json"]);
  assert.is(
    JSON.parse(readFileSync(join(packageFolder(), url), "utf8")).title,
    "Azure Sphere application manifest",
  );
});

test.run();
