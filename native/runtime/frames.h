/** The way to where the app has stopped, as addresses in the program. */
#ifndef SPHERULE_FRAMES_H
#define SPHERULE_FRAMES_H

/**
 * Logs `[frames] machine build address…`: innermost first, hexadecimal, counted from the beginning of
 * the program. Tools that have the program with its debug information name the lines.
 */
void frames_log(const char *build_id);

#endif
