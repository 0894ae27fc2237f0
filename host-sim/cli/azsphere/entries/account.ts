import type { Entry } from "../table.ts";

const NO_ACCOUNT = "The lab needs no account: everything is open to you.";

/** What the real tool's users type before anything else. */
export const accountEntries: readonly Entry[] = [
  {
    words: "login",
    only: "azsphere",
    summary: "nothing: the lab needs no account",
    options: {
      "--use-device-code": "understood, and not needed",
      "--newuser -u --username <email>": "understood, and not needed",
    },
    examples: [""],
    run: () => ({ text: NO_ACCOUNT }),
  },
  {
    words: "logout",
    only: "azsphere",
    summary: "nothing: the lab needs no account",
    examples: [""],
    run: () => ({ text: NO_ACCOUNT }),
  },
  {
    words: "register-user",
    only: "azsphere",
    summary: "nothing: the lab needs no account, and the real service no longer this command",
    options: { "-u, --new-user --newuser <email>": "understood, and not needed" },
    examples: ["--new-user you@example.com"],
    run: () => ({ text: `register-user is no longer needed. ${NO_ACCOUNT}` }),
  },
];
