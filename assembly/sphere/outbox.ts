import { MAX_IN_FLIGHT } from "./host/abi";
import { EMSGSIZE } from "./host/errors";
import * as hub from "./host/iothub";
import * as log from "./log";
import { SMALL_MEMORY } from "./memory";
import { ringCapacity, ringRead, ringWrite } from "./ring-storage";

/*
 * Telemetry that the hub does not have yet, in order, in a ring that outlives power loss.
 *
 * The file: two copies of the head, written in turn so that one is always whole, then the ring.
 *   head    u32 sequence number of the oldest record, u32 its offset, u32 check
 *   record  u16 body length, u16 properties length, u32 sequence number, u32 check, body, properties
 * A record whose check or number is wrong is where the ring ends: a torn write is as if it had never
 * been. A record is never split; one that does not fit before the end of the ring starts at 0.
 */

const HEAD_BYTES: i32 = 12;
const RING: i32 = 2 * HEAD_BYTES;
const RECORD_HEADER: i32 = 12;
/** The head is written after so many acknowledgements, or when the ring is empty. */
const LAZY_ACKNOWLEDGEMENTS: i32 = 16;

/** Less in a small memory. */
export const BODY_CAPACITY: i32 = SMALL_MEMORY ? 1024 : 2048;
export const PROPERTIES_CAPACITY: i32 = 512;
/** A record is put together, and read back, here: header, body, properties. */
const RECORD: usize = memory.data(SMALL_MEMORY ? 1548 : 2572);
const SCRATCH: usize = memory.data(12);

let size: i32 = 0;
let headOffset: i32 = 0;
let headSequence: u32 = 0;
let tailOffset: i32 = 0;
let tailSequence: u32 = 0;
let sentOffset: i32 = 0;
let sentSequence: u32 = 0;
/** Bit n: the hub has the record headSequence + n. */
let acknowledged: u32 = 0;
let unsavedAcknowledgements: i32 = 0;
let savedHeadOffset: i32 = 0;
let headWrites: i32 = 0;
let online: bool = false;
let dropped: u32 = 0;

/** Finds what an earlier run left. */
export function openOutbox(): void {
  size = ringCapacity() - RING;
  readHead(0);
  readHead(1);
  tailOffset = headOffset;
  tailSequence = headSequence;
  while (readRecord(tailOffset, tailSequence) >= 0) {
    tailOffset = after(tailOffset, load<u16>(RECORD), load<u16>(RECORD, 2));
    tailSequence++;
  }
  rewind();
}

/** How many messages wait. */
export function waiting(): i32 {
  return i32(tailSequence - headSequence);
}

/**
 * Keeps a message, and sends it when it is its turn. When the ring is full the oldest one goes.
 * @returns 0, or EMSGSIZE when the whole ring is too small
 */
export function append(body: usize, bodyLength: i32, bag: usize, bagLength: i32): i32 {
  const length = recordLength(bodyLength, bagLength);
  if (length > size) return EMSGSIZE;
  const offset = place(tailOffset, length);
  // Room that acknowledgements gave free counts only when the head says so: after a loss of power the
  // head that is saved has to find its record.
  if (unsavedAcknowledgements > 0 && overlaps(offset, length, savedHeadOffset)) saveHead();
  while (waiting() > 0 && overlaps(offset, length, headOffset)) dropOldest();
  if (waiting() === 0) restartAt(offset);
  writeRecord(offset, body, bodyLength, bag, bagLength);
  const next = sentSequence === tailSequence;
  tailOffset = offset + length;
  tailSequence++;
  if (next) sentOffset = offset;
  pump();
  return 0;
}

/** The connection came or went; what was under way is sent once more. */
export function connectionChanged(connected: bool): void {
  online = connected;
  rewind();
  pump();
}

/** A message was settled; an error lets it be sent again. */
export function settled(sequence: u32, result: i32): void {
  const place = sequence - headSequence;
  if (place >= 32 || sequence >= sentSequence) return;
  if (result < 0) {
    rewind();
    return;
  }
  acknowledged |= (<u32>1) << place;
  while (acknowledged & 1) advanceHead();
  const empty = waiting() === 0;
  if (empty || unsavedAcknowledgements >= LAZY_ACKNOWLEDGEMENTS) saveHead();
  pump();
}

/** Sends what is not under way, in order, as far as the runtime takes it. */
function pump(): void {
  while (online && sentSequence !== tailSequence) {
    if (sentSequence - headSequence >= <u32>MAX_IN_FLIGHT) return;
    const offset = readRecord(sentOffset, sentSequence);
    if (offset < 0) return;
    const bodyLength = <i32>load<u16>(RECORD);
    const bagLength = <i32>load<u16>(RECORD, 2);
    const body = RECORD + RECORD_HEADER;
    const result = hub.send(sentSequence, body, bodyLength, body + bodyLength, bagLength);
    if (result < 0) return;
    sentOffset = offset + recordLength(bodyLength, bagLength);
    sentSequence++;
  }
}

function rewind(): void {
  sentOffset = headOffset;
  sentSequence = headSequence;
  acknowledged = 0;
}

function recordLength(bodyLength: i32, bagLength: i32): i32 {
  return RECORD_HEADER + bodyLength + bagLength;
}

/** Where a record of this length goes when the one before ends at `offset`. */
function place(offset: i32, length: i32): i32 {
  return offset + length > size ? 0 : offset;
}

function after(offset: i32, bodyLength: i32, bagLength: i32): i32 {
  const length = recordLength(bodyLength, bagLength);
  return place(offset, length) + length;
}

/** Whether a record written there would touch one between `head` and the tail. */
function overlaps(offset: i32, length: i32, head: i32): bool {
  const wrapped = tailOffset <= head;
  if (offset < tailOffset) return wrapped || offset + length > head;
  return wrapped && offset + length > head;
}

/** An empty ring continues where the next record goes; the head says so first. */
function restartAt(offset: i32): void {
  if (headOffset !== offset) {
    headOffset = offset;
    saveHead();
  }
  rewind();
}

function dropOldest(): void {
  const wasSent = sentSequence !== headSequence;
  advanceHead();
  if (!wasSent) rewind();
  saveHead();
  dropped++;
  // Once and then every hundred: a device that is long away would write nothing else.
  if (dropped % 100 === 1)
    log.warn(`the outbox is full, ${dropped} of the oldest messages are lost`);
}

function advanceHead(): void {
  const offset = readRecord(headOffset, headSequence);
  assert(offset >= 0, "the oldest record of the outbox cannot be read");
  headOffset = offset + recordLength(load<u16>(RECORD), load<u16>(RECORD, 2));
  headSequence++;
  acknowledged >>= 1;
  unsavedAcknowledgements++;
}

function saveHead(): void {
  store<u32>(SCRATCH, headSequence);
  store<u32>(SCRATCH, headOffset, 4);
  store<u32>(SCRATCH, check(SCRATCH, 8), 8);
  headWrites ^= 1;
  ringWrite(headWrites * HEAD_BYTES, SCRATCH, HEAD_BYTES);
  unsavedAcknowledgements = 0;
  savedHeadOffset = headOffset;
}

/** Takes over a head that is whole and newer than what is known. */
function readHead(copy: i32): void {
  if (ringRead(copy * HEAD_BYTES, SCRATCH, HEAD_BYTES) !== HEAD_BYTES) return;
  if (load<u32>(SCRATCH, 8) !== check(SCRATCH, 8)) return;
  const sequence = load<u32>(SCRATCH);
  const offset = load<u32>(SCRATCH, 4);
  if (sequence < headSequence || offset > <u32>size) return;
  headSequence = sequence;
  headOffset = offset;
  savedHeadOffset = headOffset;
  headWrites = copy;
}

function writeRecord(offset: i32, body: usize, bodyLength: i32, bag: usize, bagLength: i32): void {
  store<u16>(RECORD, bodyLength);
  store<u16>(RECORD, bagLength, 2);
  store<u32>(RECORD, tailSequence, 4);
  memory.copy(RECORD + RECORD_HEADER, body, bodyLength);
  memory.copy(RECORD + RECORD_HEADER + bodyLength, bag, bagLength);
  store<u32>(RECORD, recordCheck(), 8);
  ringWrite(RING + offset, RECORD, recordLength(bodyLength, bagLength));
}

/**
 * Reads the record with that number, which lies at `offset` or, when the ring wrapped, at 0.
 * @returns where it lies, or -1 when there is none
 */
function readRecord(offset: i32, sequence: u32): i32 {
  if (isRecord(offset, sequence)) return offset;
  return offset !== 0 && isRecord(0, sequence) ? 0 : -1;
}

function isRecord(offset: i32, sequence: u32): bool {
  if (offset + RECORD_HEADER > size) return false;
  if (ringRead(RING + offset, RECORD, RECORD_HEADER) !== RECORD_HEADER) return false;
  const bodyLength = <i32>load<u16>(RECORD);
  const bagLength = <i32>load<u16>(RECORD, 2);
  if (bodyLength > BODY_CAPACITY || bagLength > PROPERTIES_CAPACITY) return false;
  if (load<u32>(RECORD, 4) !== sequence) return false;
  const rest = bodyLength + bagLength;
  if (offset + RECORD_HEADER + rest > size) return false;
  if (ringRead(RING + offset + RECORD_HEADER, RECORD + RECORD_HEADER, rest) !== rest) return false;
  return load<u32>(RECORD, 8) === recordCheck();
}

/** Over everything but the check itself. */
function recordCheck(): u32 {
  const rest = <i32>load<u16>(RECORD) + <i32>load<u16>(RECORD, 2);
  return check(RECORD, 8) ^ check(RECORD + RECORD_HEADER, rest);
}

/** CRC-32 of zip and Ethernet of four bits at a time: a table for eight would take 1 KiB. */
const HALF_BYTES: usize = memory.data<u32>([
  0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
  0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
]);

function check(at: usize, length: i32): u32 {
  let crc: u32 = 0xffffffff;
  for (let index = 0; index < length; index++) {
    crc ^= load<u8>(at + index);
    crc = (crc >> 4) ^ load<u32>(HALF_BYTES + ((crc & 15) << 2));
    crc = (crc >> 4) ^ load<u32>(HALF_BYTES + ((crc & 15) << 2));
  }
  return ~crc;
}
