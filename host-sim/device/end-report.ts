/** A function that the app was in, and the place where it was. */
export interface Frame {
  readonly name: string;
  readonly place: string | undefined;
}

/** AssemblyScript's own library. */
const BUILT_IN = /^~lib\//;
/** The same, and packages: the SDK of an app in a project of its own. */
const LIBRARY = /^(~lib|node_modules)\//;
const MOST_FRAMES = 12;

/**
 * The lines of the log about an app that was stopped: in one the reason and a place, then the frames.
 * @param place the innermost, when it is known by itself
 * @param frames innermost first
 */
export function endReport(
  code: number,
  what: string,
  place: string | undefined,
  frames: readonly Frame[],
): string[] {
  // A place in a library says little to its user: the first frame of the app does.
  const places = [place, ...frames.map((frame) => frame.place)].filter(isPlace);
  const where =
    places.find((each) => !LIBRARY.test(each)) ?? places.find((each) => !BUILT_IN.test(each));
  const at = where ?? place;
  return [
    `the app ended with exit code ${code}: ${what}${at ? ` at ${at}` : ""}`,
    ...frames.slice(0, MOST_FRAMES).map(frameLine),
  ];
}

/** A frame as reports show it. */
export const frameLine = ({ name, place }: Frame): string => `  in ${name} (${place ?? "?"})`;

const isPlace = (place: string | undefined): place is string => place !== undefined;
