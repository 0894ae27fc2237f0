import { type Body, OP } from "./body.ts";
import { type FunctionType, type Module, sameType } from "./module.ts";

/**
 * Finds the functions that may call themselves, directly or through others. An indirect call reaches
 * every function of the table that has its type. Imports call nothing back, so says the host ABI.
 * @returns indices of these functions
 */
export function findRecursive(module: Module, bodies: ReadonlyMap<number, Body>): Set<number> {
  const inTable = [...new Set(module.elements.flatMap(({ functions }) => functions))];
  const edges = new Map<number, readonly number[]>();
  for (const [index, body] of bodies) edges.set(index, calleesOf(module, body, inTable));
  const recursive = new Set<number>();
  for (const component of components(edges)) {
    const [only = -1] = component;
    const itself = edges.get(only)?.includes(only);
    if (component.length > 1 || itself) for (const index of component) recursive.add(index);
  }
  return recursive;
}

function calleesOf(module: Module, body: Body, inTable: readonly number[]): number[] {
  const callees = new Set<number>();
  const types = new Set<FunctionType | undefined>();
  for (const { op, index } of body.code) {
    if (op === OP.call) callees.add(index);
    if (op === OP.callIndirect) types.add(module.types[index]);
  }
  for (const type of types) {
    for (const index of inTable) {
      const target = module.functions[index];
      if (type && target && sameType(type, target.type)) callees.add(index);
    }
  }
  return [...callees];
}

interface Visit {
  readonly index: number;
  /** The next callee to look at. */
  next: number;
}

/** Tarjan's strongly connected components, without recursion: a chain of calls may be long. */
function components(edges: ReadonlyMap<number, readonly number[]>): number[][] {
  const order = new Map<number, number>();
  const low = new Map<number, number>();
  const open: number[] = [];
  const isOpen = new Set<number>();
  const found: number[][] = [];

  function enter(index: number): Visit {
    order.set(index, order.size);
    low.set(index, order.size - 1);
    open.push(index);
    isOpen.add(index);
    return { index, next: 0 };
  }
  function lower(index: number, value: number | undefined): void {
    low.set(index, Math.min(low.get(index) ?? 0, value ?? 0));
  }
  function leave(index: number): void {
    if (low.get(index) !== order.get(index)) return;
    const component = open.splice(open.lastIndexOf(index));
    for (const member of component) isOpen.delete(member);
    found.push(component);
  }

  for (const root of edges.keys()) {
    if (order.has(root)) continue;
    const path = [enter(root)];
    for (let visit = path.at(-1); visit; visit = path.at(-1)) {
      const callee = edges.get(visit.index)?.[visit.next++];
      if (callee === undefined) {
        path.pop();
        leave(visit.index);
        const caller = path.at(-1);
        if (caller) lower(caller.index, low.get(visit.index));
      } else if (!order.has(callee)) {
        path.push(enter(callee));
      } else if (isOpen.has(callee)) {
        lower(visit.index, order.get(callee));
      }
    }
  }
  return found;
}
