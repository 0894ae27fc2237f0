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
    "Gpio": [ "$STATUS_LED", "$DOOR_SWITCH", 13 ],
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
      '["global.azure-devices-provisioning.net"],"Gpio":[8,12,13],"I2cMaster":["ISU2"],"Pwm":' +
      '["PWM-CONTROLLER-1"],"Adc":["ADC-CONTROLLER-0"],"MutableStorage":{"SizeKB":8},' +
      '"DeviceAuthentication":"00000000-0000-0000-0000-000000000000"},"ApplicationType":"Default",' +
      '"TargetApplicationRuntimeVersion":16}',
  );
});
