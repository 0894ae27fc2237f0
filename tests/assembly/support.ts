import { compileApp } from "../../host-sim/compiler/compile.ts";
import { packageFolder } from "../../host-sim/paths.ts";

/** Compiles a file of tests/fixtures/assembly. */
export function compileFixture(name: string, target: "debug" | "release" = "debug") {
  return compileApp({
    projectFolder: packageFolder(),
    entry: `tests/fixtures/assembly/${name}.ts`,
    target,
  });
}

/** Answers anything that a fixture imports and the test does not care for. */
export function stubImports(
  module: WebAssembly.Module,
  given: Record<string, Record<string, unknown>> = {},
): Record<string, Record<string, unknown>> {
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: subject, name } of WebAssembly.Module.imports(module)) {
    const group = imports[subject] ?? {};
    group[name] = given[subject]?.[name] ?? (() => 0);
    imports[subject] = group;
  }
  return imports;
}
