import { readFileSync } from "node:fs";
import type { TLSSocket } from "node:tls";
import type { BenchCredentials } from "./credentials.ts";
import { dial, packetIdAt, prepareDevice, type ReadyDevice, readAcknowledgements } from "./wire.ts";

const CLIENTS = 50;
const WINDOW = 10;
const WARM_UP_MS = 1_000;
const MEASURE_MS = 4_000;
const DIALS_AT_ONCE = 8;
const TICK_MS = 4;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function load(file: string, count: number): ReadyDevice[] {
  const given: BenchCredentials = JSON.parse(readFileSync(file, "utf8"));
  return given.devices.slice(0, count).map(prepareDevice);
}

async function dialAll(port: number, devices: readonly ReadyDevice[]): Promise<TLSSocket[]> {
  const sockets: TLSSocket[] = [];
  for (const device of devices) {
    const socket = await dial(port, device);
    socket.removeAllListeners("close");
    sockets.push(socket);
  }
  return sockets;
}

/** Acknowledged messages a second of 50 devices that keep 10 messages under way each. */
export async function telemetryRate(file: string, port: number): Promise<number> {
  const devices = load(file, CLIENTS);
  const sockets = await dialAll(port, devices);
  let acknowledged = 0;
  let running = true;
  sockets.forEach((socket, number) => {
    const { publish } = devices[number] as ReadyDevice;
    const at = packetIdAt(publish);
    // As many copies as the window is wide: a packet on its way is not written over.
    const burst = Buffer.concat(Array.from({ length: WINDOW }, () => publish));
    let packetId = 0;
    const send = (count: number) => {
      const packets = Buffer.from(burst.subarray(0, count * publish.length));
      for (let each = 0; each < count; each++) {
        packetId = (packetId % 65_535) + 1;
        packets.writeUInt16BE(packetId, each * publish.length + at);
      }
      socket.write(packets);
    };
    let fresh = 0;
    readAcknowledgements(
      socket,
      () => {
        fresh += 1;
      },
      () => {
        acknowledged += fresh;
        if (running && fresh > 0) send(fresh);
        fresh = 0;
      },
    );
    send(WINDOW);
  });
  await pause(WARM_UP_MS);
  const before = acknowledged;
  const started = performance.now();
  await pause(MEASURE_MS);
  const rate = (acknowledged - before) / ((performance.now() - started) / 1000);
  running = false;
  for (const socket of sockets) socket.destroy();
  return rate;
}

/** Milliseconds from PUBLISH to PUBACK, at `rate` messages a second spread over 50 devices. */
export async function acknowledgementTimes(file: string, port: number, rate: number) {
  const devices = load(file, CLIENTS);
  const sockets = await dialAll(port, devices);
  const times: number[] = [];
  /** How many came while this process and the broker grew warm. */
  let early = 0;
  const senders = sockets.map((socket, number) => {
    const { publish } = devices[number] as ReadyDevice;
    const at = packetIdAt(publish);
    const sentAt = new Map<number, number>();
    let packetId = 0;
    readAcknowledgements(
      socket,
      (id) => times.push(performance.now() - (sentAt.get(id) ?? Number.NaN)),
      () => {},
    );
    return () => {
      packetId = (packetId % 65_535) + 1;
      const packet = Buffer.from(publish);
      packet.writeUInt16BE(packetId, at);
      sentAt.set(packetId, performance.now());
      socket.write(packet);
    };
  });
  const started = performance.now();
  let sent = 0;
  while (performance.now() - started < WARM_UP_MS + MEASURE_MS) {
    if (performance.now() - started < WARM_UP_MS) early = times.length;
    const due = Math.floor(((performance.now() - started) * rate) / 1000);
    for (; sent < due; sent++) senders[sent % senders.length]?.();
    await pause(TICK_MS);
  }
  while (times.length < sent) await pause(TICK_MS);
  for (const socket of sockets) socket.destroy();
  const measured = times.slice(early).sort((a, b) => a - b);
  const at = (share: number) => measured[Math.floor((measured.length - 1) * share)] as number;
  return { p50: at(0.5), p99: at(0.99), sent };
}

/** Full handshakes with a certificate, CONNECT and CONNACK, a second. */
export async function connectRate(file: string, port: number): Promise<number> {
  const devices = load(file, CLIENTS);
  let connected = 0;
  let running = true;
  const slots = Array.from({ length: DIALS_AT_ONCE }, async (_, slot) => {
    const own = devices.filter((_device, number) => number % DIALS_AT_ONCE === slot);
    for (let turn = 0; running; turn++) {
      const socket = await dial(port, own[turn % own.length] as ReadyDevice);
      socket.destroy();
      connected += 1;
    }
  });
  await pause(WARM_UP_MS);
  const before = connected;
  const started = performance.now();
  await pause(MEASURE_MS);
  const rate = (connected - before) / ((performance.now() - started) / 1000);
  running = false;
  await Promise.all(slots);
  return rate;
}

/** Connects `count` devices and holds them until the parent goes. */
export async function holdIdle(file: string, port: number, count: number): Promise<void> {
  const devices = load(file, count);
  const sockets = await dialAll(port, devices);
  process.on("disconnect", () => {
    for (const socket of sockets) socket.destroy();
  });
  process.send?.("connected");
}
