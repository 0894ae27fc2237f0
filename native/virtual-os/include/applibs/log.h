/** Debug output: one line to the debug stream of the operating system. Thread-safe, not
 * signal-safe. */
#ifndef APPLIBS_LOG_H
#define APPLIBS_LOG_H

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Formats like printf. @return 0, or -1 with errno EFAULT (no format), EMSGSIZE */
int Log_Debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** As Log_Debug, for wrappers with arguments of their own. */
int Log_DebugVarArgs(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

#ifdef __cplusplus
}
#endif

#endif
