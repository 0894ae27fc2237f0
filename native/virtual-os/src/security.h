/** Which security the process has chosen for its clients. */
#ifndef VIRTUAL_OS_SECURITY_H
#define VIRTUAL_OS_SECURITY_H

#include <stdbool.h>

bool security_is_x509(void);
bool prov_security_is_x509(void);

#endif
