import { packageVersion } from "../../paths.ts";
import { NOTICE } from "./help.ts";

export const versionText = (): string => `Spherule ${packageVersion()}\n${NOTICE}\n`;
