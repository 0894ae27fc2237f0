import type { Store } from "../store/index.ts";
import { HubError } from "./errors.ts";

/** The group that every reader may use without making it. */
export const DEFAULT_GROUP = "$Default";
const MOST_GROUPS = 20;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/;

export type ConsumerGroups = ReturnType<typeof createConsumerGroups>;

/** Consumer groups of the Event Hub-compatible endpoint: names under which readers may attach. */
export function createConsumerGroups(store: Store) {
  const key = (name: string) => `hub/consumer-groups/${name.toLowerCase()}`;
  const list = (): string[] => [
    DEFAULT_GROUP,
    ...[...store.entries<string>(key(""))].map(([, name]) => name),
  ];
  function find(name: string): string | undefined {
    return list().find((each) => each.toLowerCase() === name.toLowerCase());
  }
  function get(name: string): string {
    const found = find(name);
    if (found !== undefined) return found;
    throw new HubError("ConsumerGroupNotFound", `There is no consumer group ${name}`);
  }
  return {
    list,
    find,
    get,
    /** One that exists stays as it is. @throws HubError ArgumentInvalid */
    add(name: string): string {
      const found = find(name);
      if (found !== undefined) return found;
      if (!NAME.test(name)) {
        throw new HubError("ArgumentInvalid", "A consumer group has 1 to 50 of A-Z a-z 0-9 . _ -");
      }
      if (list().length >= MOST_GROUPS) {
        throw new HubError("ArgumentInvalid", `There are at most ${MOST_GROUPS} consumer groups`);
      }
      store.put(key(name), name);
      return name;
    },
    delete(name: string): void {
      if (get(name) === DEFAULT_GROUP) {
        throw new HubError("ArgumentInvalid", `${DEFAULT_GROUP} cannot be deleted`);
      }
      store.delete(key(name));
    },
  };
}
