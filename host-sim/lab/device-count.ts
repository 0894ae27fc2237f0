/** As many as there are addresses behind 192.168.35.1, all but a few. */
export const MOST_DEVICES = 250;
/** And how many processes a hub may have. */
export const MOST_HUB_PROCESSES = 16;
