/** As many as there are addresses behind 192.168.35.1, all but a few. */
export const MOST_DEVICES = 250;
