#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "channel.h"

#define INIT 1

/**
 * An app that the lab started does not outlive it, also when the lab is killed: an operating system
 * that is gone takes its apps along.
 */
__attribute__((constructor)) static void end_with_the_lab(void)
{
    if (!channel_configured()) {
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // It was too late: somebody else has taken the process over.
    if (getppid() == INIT) {
        _exit(EXIT_FAILURE);
    }
}
