/** The size limit of the mutable file: writes of the app pass through this library on their way to
 * libc. */
#ifndef VIRTUAL_OS_QUOTA_H
#define VIRTUAL_OS_QUOTA_H

#include <stdint.h>
#include <sys/types.h>

/** From now on this file cannot grow beyond `bytes`. */
void quota_set(dev_t device, ino_t node, uint32_t bytes);

#endif
