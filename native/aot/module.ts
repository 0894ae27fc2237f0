/** The four types of values. */
export type ValueType = "i32" | "i64" | "f32" | "f64";

export interface FunctionType {
  readonly params: readonly ValueType[];
  /** None or one; several results are refused. */
  readonly result: ValueType | undefined;
}

/** A function of the module; imported ones have no code. Indices count imports first. */
export interface WasmFunction {
  readonly index: number;
  readonly type: FunctionType;
  readonly imported?: { readonly module: string; readonly name: string };
  /** Where its code is in the file: from the count of locals to behind the last `end`. */
  readonly code?: { readonly from: number; readonly end: number };
  /** From the name section; for people only. */
  name: string;
}

/** A constant expression: bits of a number, or the index of another global. */
export type Constant =
  | { readonly kind: "bits"; readonly type: ValueType; readonly bits: bigint }
  | { readonly kind: "global"; readonly type: ValueType; readonly index: number };

export interface Global {
  readonly type: ValueType;
  readonly mutable: boolean;
  readonly initial: Constant;
  /** From the name section. */
  name: string;
}

export interface MemoryLimits {
  /** Pages of 65,536 bytes. */
  readonly initial: number;
  readonly maximum: number;
}

export interface DataSegment {
  /** Undefined when only `memory.init` uses it. */
  readonly offset: Constant | undefined;
  readonly bytes: Uint8Array;
  readonly at: number;
}

export interface ElementSegment {
  readonly offset: Constant;
  readonly functions: readonly number[];
  readonly at: number;
}

export interface Export {
  readonly name: string;
  readonly kind: "function" | "table" | "memory" | "global";
  readonly index: number;
  readonly at: number;
}

export interface Module {
  readonly bytes: Uint8Array;
  readonly types: FunctionType[];
  readonly functions: WasmFunction[];
  readonly globals: Global[];
  readonly exports: Export[];
  readonly data: DataSegment[];
  readonly elements: ElementSegment[];
  /** Number of entries, or undefined without a table. */
  table: number | undefined;
  memory: MemoryLimits | undefined;
  start: number | undefined;
  /** From the data count section, which `memory.init` and `data.drop` need. */
  dataCount: number | undefined;
}

export const PAGE_BYTES = 65_536;

export function sameType(a: FunctionType, b: FunctionType): boolean {
  return (
    a.result === b.result &&
    a.params.length === b.params.length &&
    a.params.every((type, index) => type === b.params[index])
  );
}
