/**
 * Asks for EVENT_UPDATE. Needs the manifest's `SystemEventNotifications` capability.
 * @param mask sum of UpdateReadyForInstall 1, UpdateStarted 2, NoUpdateAvailable 4; 0 ends it
 * @returns 0, EACCES or EINVAL
 */
export declare function subscribe(mask: i32): i32;

/** The longest deferral of the update of this event, in minutes. @returns it or ENOENT */
export declare function maxDeferralMinutes(): i32;

/** What the update of this event replaces: 1 the app, 2 the system. @returns it or ENOENT */
export declare function updateType(): i32;

/**
 * Defers the pending update. Needs the manifest's `SoftwareUpdateDeferral` capability.
 * @param event the EVENT_UPDATE id, 1
 * @param minutes cut to the longest allowed
 * @returns 0, EACCES, EINVAL, ENOENT (no update pends)
 */
export declare function defer(event: i32, minutes: i32): i32;

/** Ends a deferral early. @returns 0, EACCES, EINVAL, ENOENT */
export declare function resume(event: i32): i32;
