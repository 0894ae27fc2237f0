import { LabError, messageOf } from "../errors.ts";
import { type CompileRequest, compileApp } from "./compile.ts";
import type { CompilerAnswer } from "./process.ts";

/** The entry of the compiler's process: answers each request; ends with the lab. */
process.on("message", async (request: CompileRequest) => {
  process.send?.(await answer(request));
});
process.on("disconnect", () => process.removeAllListeners("message"));

async function answer(request: CompileRequest): Promise<CompilerAnswer> {
  try {
    return { ok: true, app: await compileApp(request) };
  } catch (error) {
    if (error instanceof LabError) {
      return { ok: false, code: error.code, message: error.message, hint: error.hint };
    }
    return { ok: false, code: "compiler-ended", message: messageOf(error), hint: "Report it." };
  }
}
