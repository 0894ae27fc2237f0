#include <tlsutils/deviceauth.h>

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "channel.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *path;

static char *ask_for_path(void)
{
    uint8_t data[1026];
    struct wire_writer rest = { data, sizeof data, 0, false };
    struct channel_frame frame = { FRAME_CERTIFICATE_PATH, NULL, 0, NULL, 0 };
    if (channel_control(&frame, &rest) != 0) {
        return NULL;
    }
    struct wire_reader reader = { data, rest.length, false };
    struct wire_span text = wire_get_text(&reader);
    return wire_complete(&reader) ? wire_copy_text(text) : NULL;
}

const char *DeviceAuth_GetCertificatePath(void)
{
    pthread_mutex_lock(&lock);
    if (path == NULL) {
        path = ask_for_path();
    }
    pthread_mutex_unlock(&lock);
    return path;
}
