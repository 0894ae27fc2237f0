import type { Command } from "commander";

/** Each noun adds its commands to the program. The order here is the order of `--help`. */
export const nouns: readonly ((program: Command) => void)[] = [];
