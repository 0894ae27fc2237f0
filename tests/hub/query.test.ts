import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SteppedClock } from "../../host-sim/clock/index.ts";
import { createHub } from "../../host-sim/hub/hub.ts";
import { runQuery } from "../../host-sim/hub/query/query.ts";
import { silentLogger } from "../../host-sim/log.ts";
import { openMemoryStore } from "../../host-sim/store/index.ts";

const test = suite("the IoT Hub query language");

const hub = createHub({
  ...{ hostName: "contoso.azure-devices.net", store: openMemoryStore(), logger: silentLogger },
  clock: new SteppedClock(),
});
for (const [deviceId, tags] of Object.entries({
  a: { floor: 1, name: "attic", on: true, list: ["x", 1], nested: { "2-words": 1 } },
  b: { floor: 2, name: "it's", on: false, list: [] },
  c: { floor: 2.5, name: "cellar", on: null, size: -3 },
  d: {},
})) {
  hub.devices.create({ deviceId });
  // A value null would delete: it is put as a service cannot, to be asked for.
  hub.twins.patch(deviceId, { tags: JSON.parse(JSON.stringify(tags)) });
}
hub.devices.create({ deviceId: "a", moduleId: "m" });
hub.devices.update({ deviceId: "d", status: "disabled" }, "*");

const ids = (where: string) =>
  runQuery(hub, `SELECT deviceId FROM devices WHERE ${where}`)
    .rows.map(({ deviceId }) => deviceId)
    .join("");

for (const [where, expected] of [
  ["tags.floor = 2", "b"],
  ["tags.floor != 2", "ac"],
  ["tags.floor <> 2", "ac"],
  ["tags.floor >= 2 AND tags.floor < 2.5", "b"],
  ["tags.size = -3", "c"],
  ["tags.on = true", "a"],
  ["NOT tags.on = true", "bcd"],
  ["tags.name > 'b' AND tags.name <= 'cellar'", "c"],
  ['tags.name = "attic"', "a"],
  ["tags.name = 'it\\'s'", "b"],
  ["deviceId IN ['a', 'd'] OR tags.floor = 2", "abd"],
  ["deviceId NIN ['a', 'd']", "bc"],
  ["deviceId NOT IN ['a', 'd']", "bc"],
  ["is_defined(tags.floor) AND NOT is_defined(tags.size)", "ab"],
  ["is_number(tags.floor)", "abc"],
  ["is_string(tags.name)", "abc"],
  ["is_bool(tags.on)", "ab"],
  ["is_object(tags.nested)", "a"],
  ["is_array(tags.list)", "ab"],
  ["is_primitive(tags.name)", "abc"],
  ["is_null(statusReason)", ""],
  ["STARTSWITH(tags.name, 'at')", "a"],
  ["starts_with(tags.name, 'at') OR ends_with(tags.name, 'ar')", "ac"],
  ["ENDSWITH(tags.name, 'ar')", "c"],
  ["CONTAINS(tags.name, 'tt')", "a"],
  ["contains(tags.list, 'x')", "a"],
  ["tags.nested.[[2-words]] = 1", "a"],
  ["devices.tags.floor = 2", "b"],
  ["status = 'disabled'", "d"],
  ["connectionState = 'Disconnected' AND capabilities.iotEdge = false", "abcd"],
  ["authenticationType = 'sas' AND (tags.floor = 1 OR tags.floor = 2)", "ab"],
  ["properties.reported.none = 1", ""],
  ["tags.floor = '2'", ""],
  ["tags.floor < '9'", ""],
] as const) {
  test(`WHERE ${where}`, () => {
    assert.is(ids(where), expected);
  });
}

test("an alias, its columns and their names", () => {
  const text = "SELECT d.deviceId AS id, d.tags.floor FROM devices AS d WHERE d.tags.floor < 2";
  assert.equal(runQuery(hub, text), { rows: [{ id: "a", floor: 1 }], itemType: "Raw" });
});

test("TOP, aggregates and groups", () => {
  assert.equal(runQuery(hub, "SELECT TOP 2 deviceId FROM devices").rows, [
    { deviceId: "a" },
    { deviceId: "b" },
  ]);
  const all = "COUNT() AS n, SUM(tags.floor) AS sum, AVG(tags.floor) AS avg";
  assert.equal(
    runQuery(hub, `SELECT ${all}, MIN(tags.floor) AS min, MAX(tags.floor) AS max FROM devices`)
      .rows,
    [{ n: 4, sum: 5.5, avg: 5.5 / 3, min: 1, max: 2.5 }],
  );
  assert.equal(
    runQuery(hub, "SELECT status, COUNT() AS n FROM devices GROUP BY devices.status").rows,
    [
      { status: "enabled", n: 3 },
      { status: "disabled", n: 1 },
    ],
  );
  assert.equal(runQuery(hub, "SELECT COUNT() AS n FROM devices WHERE false").rows, [{ n: 0 }]);
});

test("modules are rows of their own", () => {
  const { rows, itemType } = runQuery(hub, "SELECT * FROM devices.modules WHERE moduleId = 'm'");
  assert.equal([rows.length, rows[0]?.moduleId, itemType], [1, "m", "Twin"]);
});

for (const [text, problem] of [
  ["", "it ends"],
  ["UPDATE devices", "not SELECT"],
  ["SELECT * FROM twins", "FROM twins is not known"],
  ["SELECT TOP 0 * FROM devices", "TOP takes"],
  ["SELECT TOP -1 * FROM devices", "TOP takes"],
  ["SELECT TOP 1.5 * FROM devices", "TOP takes"],
  ["SELECT * FROM devices GROUP BY status", "cannot be grouped"],
  ["SELECT deviceId, COUNT() FROM devices", "deviceId is not in GROUP BY"],
  ["SELECT * FROM devices WHERE nonsense(tags.a)", "nonsense is not known"],
  ["SELECT * FROM devices WHERE contains(tags.a)", "takes 2 arguments, not 1"],
  ["SELECT * FROM devices WHERE toString(tags.a)", "toString is not known"],
  ["SELECT * FROM devices WHERE tags.a =", "a value"],
  ["SELECT * FROM devices ORDER BY deviceId", "not the end"],
  ["SELECT * FROM devices WHERE tags.a + 1 = 2", "character 36"],
] as const) {
  test(`${text || "nothing"} is refused`, () => {
    assert.throws(
      () => runQuery(hub, text),
      (error: Error) => error.name === "ArgumentInvalid" && error.message.includes(problem),
    );
  });
}

test.run();
