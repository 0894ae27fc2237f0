import { AotError, invalid, unsupported } from "./errors.ts";
import type { Constant, Export, FunctionType, Global, MemoryLimits, Module } from "./module.ts";
import { PAGE_BYTES, type ValueType } from "./module.ts";
import { readNames } from "./names.ts";
import { createReader, type Reader } from "./reader.ts";

const MOST = {
  bytes: 16 * 1024 * 1024,
  types: 10_000,
  functions: 50_000,
  params: 200,
  globals: 10_000,
  exports: 10_000,
  segments: 50_000,
  table: 100_000,
  pages: 65_536,
};
const MAGIC = 0x6d736100;
const VALUE_TYPES: Readonly<Record<number, ValueType>> = {
  127: "i32",
  126: "i64",
  125: "f32",
  124: "f64",
};
/** The order in the file; ids themselves are not in order. */
const ORDER = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];
const OTHER_TYPES: Readonly<Record<number, string>> = {
  123: "128-bit vectors",
  112: "function references",
  111: "external references",
};

type ReadSection = (module: Module, section: Reader, state: DecodeState) => void;

interface DecodeState {
  /** Types of the functions whose code follows. */
  readonly declared: FunctionType[];
  codeSeen: boolean;
}

/**
 * Reads a module's sections; the code stays unread.
 * @throws AotError wasm-invalid, wasm-unsupported, wasm-too-large
 */
export function decodeModule(bytes: Uint8Array): Module {
  if (bytes.length > MOST.bytes) throw tooLarge(bytes.length);
  const reader = createReader(bytes);
  checkHeader(bytes);
  reader.bytes(8);
  const module = emptyModule(bytes);
  const state: DecodeState = { declared: [], codeSeen: false };
  let last = -1;
  while (reader.at < reader.end) {
    const at = reader.at;
    const id = reader.byte();
    const section = reader.part(reader.u32());
    if (id === 0) {
      readCustom(module, section);
      continue;
    }
    const place = ORDER.indexOf(id);
    if (place < 0) throw unsupported(`section ${id}`, at);
    if (place <= last) throw invalid(`section ${id} is in the wrong place`, at);
    last = place;
    SECTIONS[id]?.(module, section, state);
    if (section.at !== section.end) throw invalid(`section ${id} has bytes left over`, section.at);
  }
  checkWhole(module, state, reader.at);
  return module;
}

function tooLarge(length: number): AotError {
  return new AotError(
    "wasm-too-large",
    `The module has ${length} bytes; at most ${MOST.bytes} are translated.`,
    "Check that the file is the app; a device holds less than 1 MiB.",
  );
}

function checkHeader(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8 || view.getUint32(0, true) !== MAGIC) {
    throw invalid("it does not begin with the four bytes of a module", 0);
  }
  const version = view.getUint32(4, true);
  if (version !== 1) throw unsupported(`version ${version} of the binary format`, 4);
}

function emptyModule(bytes: Uint8Array): Module {
  return {
    bytes,
    types: [],
    functions: [],
    globals: [],
    exports: [],
    data: [],
    elements: [],
    table: undefined,
    memory: undefined,
    start: undefined,
    dataCount: undefined,
  };
}

function checkWhole(module: Module, state: DecodeState, at: number): void {
  if (!state.codeSeen && state.declared.length > 0) throw invalid("functions have no code", at);
  if (module.dataCount !== undefined && module.dataCount !== module.data.length) {
    throw invalid("the data count is not the number of data segments", at);
  }
}

/** A damaged name section changes no meaning, so it is only left out. */
function readCustom(module: Module, section: Reader): void {
  if (section.name() === "name") readNames(module, section);
}

const SECTIONS: Readonly<Record<number, ReadSection>> = {
  1: readTypes,
  2: readImports,
  3: readFunctions,
  4: readTable,
  5: readMemory,
  6: readGlobals,
  7: readExports,
  8: readStart,
  9: readElements,
  10: readCode,
  11: readData,
  12: (module, section) => {
    module.dataCount = section.u32();
  },
};

export function readValueType(reader: Reader): ValueType {
  const at = reader.at;
  return valueTypeOf(reader.byte(), at);
}

export function valueTypeOf(code: number, at: number): ValueType {
  const type = VALUE_TYPES[code];
  if (type) return type;
  const other = OTHER_TYPES[code];
  throw other ? unsupported(other, at) : invalid(`0x${code.toString(16)} is no type`, at);
}

function readTypes(module: Module, section: Reader): void {
  for (let left = section.count("types", MOST.types); left > 0; left--) {
    const at = section.at;
    const form = section.byte();
    if (form !== 0x60) throw unsupported(`a type of form 0x${form.toString(16)}`, at);
    const params = readList(section, "parameters", MOST.params, readValueType);
    const results = readList(section, "results", MOST.params, readValueType);
    if (results.length > 1) throw unsupported("functions with several results", at);
    module.types.push({ params, result: results[0] });
  }
}

function readList<T>(reader: Reader, what: string, most: number, read: (reader: Reader) => T): T[] {
  return Array.from({ length: reader.count(what, most) }, () => read(reader));
}

function typeAt(module: Module, section: Reader): FunctionType {
  const at = section.at;
  const type = module.types[section.u32()];
  if (!type) throw invalid("a function has an unknown type", at);
  return type;
}

function readImports(module: Module, section: Reader): void {
  for (let left = section.count("imports", MOST.functions); left > 0; left--) {
    const imported = { module: section.name(), name: section.name() };
    const at = section.at;
    const kind = section.byte();
    if (kind !== 0) {
      const what = ["", "table", "memory", "global", "tag"][kind] ?? `thing of kind ${kind}`;
      throw unsupported(`an imported ${what} (${imported.module}.${imported.name})`, at);
    }
    const index = module.functions.length;
    module.functions.push({ index, type: typeAt(module, section), imported, name: imported.name });
  }
}

function readFunctions(module: Module, section: Reader, state: DecodeState): void {
  for (let left = section.count("functions", MOST.functions); left > 0; left--) {
    state.declared.push(typeAt(module, section));
  }
}

/** Flags above 1 are shared, 64-bit or of another page size. */
function readLimits(section: Reader, most: number, what: string): MemoryLimits {
  const at = section.at;
  const flags = section.byte();
  if (flags > 1) throw unsupported(`a ${what} with limits of kind ${flags}`, at);
  const initial = section.u32();
  const maximum = flags === 1 ? section.u32() : most;
  if (initial > most || initial > maximum) throw invalid(`the ${what}'s limits are wrong`, at);
  return { initial, maximum };
}

function readTable(module: Module, section: Reader): void {
  const at = section.at;
  const count = section.count("tables", MOST.table);
  if (count > 1) throw unsupported("several tables", at);
  if (count === 0) return;
  const type = section.byte();
  if (type !== 0x70) throw unsupported("a table that holds no functions", at);
  const { initial } = readLimits(section, 0xffff_ffff, "table");
  if (initial > MOST.table) throw unsupported(`a table of ${initial} entries`, at);
  module.table = initial;
}

function readMemory(module: Module, section: Reader): void {
  const at = section.at;
  const count = section.count("memories", MOST.table);
  if (count > 1) throw unsupported("several memories", at);
  if (count === 1) module.memory = readLimits(section, MOST.pages, "memory");
}

function readGlobals(module: Module, section: Reader): void {
  for (let left = section.count("globals", MOST.globals); left > 0; left--) {
    const type = readValueType(section);
    const at = section.at;
    const mutable = section.byte();
    if (mutable > 1) throw invalid("a global is neither constant nor variable", at);
    const initial = readConstant(module, section, type);
    module.globals.push({ type, mutable: mutable === 1, initial, name: "" });
  }
}

/** One constant instruction; what newer editions allow beyond that is refused by name. */
function readConstant(module: Module, reader: Reader, type: ValueType): Constant {
  const at = reader.at;
  const value = readConstantValue(module, reader);
  if (value.type !== type) throw invalid(`a constant is ${value.type} in place of ${type}`, at);
  const end = reader.byte();
  if (end !== 0x0b) throw unsupported("constants that are computed", at);
  return value;
}

function readConstantValue(module: Module, reader: Reader): Constant {
  const at = reader.at;
  const op = reader.byte();
  if (op === 0x41) return { kind: "bits", type: "i32", bits: BigInt(reader.i32()) };
  if (op === 0x42) return { kind: "bits", type: "i64", bits: reader.i64() };
  if (op === 0x43) return { kind: "bits", type: "f32", bits: littleEndian(reader.bytes(4)) };
  if (op === 0x44) return { kind: "bits", type: "f64", bits: littleEndian(reader.bytes(8)) };
  if (op !== 0x23) throw unsupported(`a constant made by opcode 0x${op.toString(16)}`, at);
  const index = reader.u32();
  const global: Global | undefined = module.globals[index];
  if (!global || global.mutable) throw invalid("a constant reads no constant global", at);
  return { kind: "global", type: global.type, index };
}

export function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** The bits of a constant, following other globals; they were checked to come earlier. */
export function bitsOf(module: Module, constant: Constant): bigint {
  let current = constant;
  while (current.kind === "global") {
    const global = module.globals[current.index];
    if (!global) throw invalid("a constant reads an unknown global", 0);
    current = global.initial;
  }
  return current.bits;
}

const EXPORT_KINDS = ["function", "table", "memory", "global"] as const;

function readExports(module: Module, section: Reader, state: DecodeState): void {
  const seen = new Set<string>();
  const sizes = {
    function: module.functions.length + state.declared.length,
    table: module.table === undefined ? 0 : 1,
    memory: module.memory ? 1 : 0,
    global: module.globals.length,
  };
  for (let left = section.count("exports", MOST.exports); left > 0; left--) {
    const at = section.at;
    const name = section.name();
    if (seen.has(name)) throw invalid(`two exports are named ${JSON.stringify(name)}`, at);
    seen.add(name);
    const kind: Export["kind"] | undefined = EXPORT_KINDS[section.byte()];
    if (!kind) throw unsupported("an export of another kind", at);
    const index = section.u32();
    if (index >= sizes[kind]) throw invalid(`an export names an unknown ${kind}`, at);
    module.exports.push({ name, kind, index, at });
  }
}

function readStart(module: Module, section: Reader, state: DecodeState): void {
  const at = section.at;
  const index = section.u32();
  const type = module.functions[index]?.type ?? state.declared[index - module.functions.length];
  if (!type || type.params.length > 0 || type.result) {
    throw invalid("the start function is missing or takes something", at);
  }
  module.start = index;
}

function readElements(module: Module, section: Reader, state: DecodeState): void {
  const functions = module.functions.length + state.declared.length;
  for (let left = section.count("element segments", MOST.segments); left > 0; left--) {
    const at = section.at;
    const flags = section.u32();
    if (flags > 3) throw unsupported("element segments of expressions", at);
    const active = flags === 0 || flags === 2;
    if (flags === 2 && section.u32() !== 0) throw invalid("a segment fills an unknown table", at);
    const offset = active ? readConstant(module, section, "i32") : undefined;
    if (flags !== 0 && section.byte() !== 0) throw unsupported("elements of another kind", at);
    const list = readList(section, "elements", MOST.table, (reader) => reader.u32());
    if (list.some((index) => index >= functions)) throw invalid("an unknown function", at);
    if (active && module.table === undefined) throw invalid("there is no table to fill", at);
    // Without table.init, which is refused, the other kinds have no effect.
    if (offset) addElements(module, offset, list, at);
  }
}

function addElements(module: Module, offset: Constant, functions: number[], at: number): void {
  const first = Number(BigInt.asUintN(32, bitsOf(module, offset)));
  if (first + functions.length > (module.table ?? 0)) {
    throw unsupported("an element segment that does not fit into the table", at);
  }
  module.elements.push({ offset, functions, at });
}

function readCode(module: Module, section: Reader, state: DecodeState): void {
  const at = section.at;
  state.codeSeen = true;
  const count = section.count("function bodies", MOST.functions);
  if (count !== state.declared.length) throw invalid("functions and bodies differ in number", at);
  for (const type of state.declared) {
    const body = section.part(section.u32());
    const index = module.functions.length;
    module.functions.push({ index, type, code: { from: body.at, end: body.end }, name: "" });
  }
}

function readData(module: Module, section: Reader): void {
  for (let left = section.count("data segments", MOST.segments); left > 0; left--) {
    const at = section.at;
    const flags = section.u32();
    if (flags > 2) throw invalid("a data segment of an unknown kind", at);
    if (flags === 2 && section.u32() !== 0) throw invalid("a segment fills an unknown memory", at);
    const offset = flags === 1 ? undefined : readConstant(module, section, "i32");
    const bytes = section.bytes(section.u32());
    if (offset) checkFits(module, offset, bytes.length, at);
    module.data.push({ offset, bytes, at });
  }
}

function checkFits(module: Module, offset: Constant, length: number, at: number): void {
  if (!module.memory) throw invalid("there is no memory to fill", at);
  const first = Number(BigInt.asUintN(32, bitsOf(module, offset)));
  if (first + length > module.memory.initial * PAGE_BYTES) {
    throw unsupported("a data segment that does not fit into the memory", at);
  }
}
