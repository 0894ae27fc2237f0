import { callLab } from "../../context.ts";
import { aligned } from "../output.ts";
import { type Context, type Entry, type Given, optional } from "../table.ts";

const NO_ACCOUNT = "The lab needs no account: everything is open to you.";

/** The lab's own user, who may do everything. */
export const OWNER = "lab";

/** Becomes a user of that name, or the lab's own again. @throws LabError user-invalid, no-lab */
export async function signIn(
  context: Pick<Context, "lab" | "settings">,
  user: string | undefined,
): Promise<string> {
  // Whoever asks gets a token: this only finds out whether the name can be one.
  if (user !== undefined) await callLab(await context.lab(), "POST", "/token", { user });
  context.settings.set("user", user?.toLowerCase());
  if (user === undefined) return NO_ACCOUNT;
  return (
    `You are '${user.toLowerCase()}' now; the lab asks nobody for a password. What you may do, the ` +
    "roles of each tenant say."
  );
}

async function login(context: Context, given: Given) {
  return { text: await signIn(context, optional(given, "username")) };
}

/** What the real tool's users type before anything else. */
export const accountEntries: readonly Entry[] = [
  {
    words: "login",
    only: "azsphere",
    summary: "become the lab's own user, who needs no account, or another one to try out roles",
    options: {
      "-u, --username <email>": "whom to be; the lab's own user if absent",
      "--newuser <email>": "understood, and not needed",
      "--use-device-code": "understood, and not needed",
    },
    examples: ["", "--username you@example.com"],
    run: login,
  },
  {
    words: "logout",
    only: "azsphere",
    summary: "become the lab's own user again",
    examples: [""],
    run: (context) => login(context, {}),
  },
  {
    words: "register-user",
    only: "azsphere",
    summary: "nothing: the lab needs no account, and the real service no longer this command",
    options: { "-u, --new-user --newuser <email>": "understood, and not needed" },
    examples: ["--new-user you@example.com"],
    run: () => ({ text: `register-user is no longer needed. ${NO_ACCOUNT}` }),
  },
  {
    words: "show-user",
    only: "azsphere",
    summary: "print who you are",
    examples: [""],
    run({ settings }) {
      const name = settings.get("user") ?? OWNER;
      return { value: { name }, text: aligned([["Name", name]]) };
    },
  },
];
