#!/usr/bin/env node
import { existsSync } from "node:fs";

const entry = new URL("../dist/main.js", import.meta.url);
if (!existsSync(entry)) await import("../scripts/build-host.mjs");
const { main } = await import(entry.href);
await main(process.argv.slice(2));
