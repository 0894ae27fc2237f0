/** What the C tests of the libraries have in common. */
#ifndef VIRTUAL_OS_LIBRARY_TESTS_H
#define VIRTUAL_OS_LIBRARY_TESTS_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/** A check of our own that failed ends the run. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("line %d: %s, errno %d\n", __LINE__, #condition, errno);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/** The scenario `exhausted`. */
void exhausted(void);

/** The scenario `versioned`. */
void versioned(void);

#endif
