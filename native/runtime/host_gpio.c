#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include <applibs/gpio.h>

#include "runtime.h"
#include "timers.h"

#define MOST_OPEN 64u
#define LONGEST_PERIOD_MS 1000

/** An open pin. The chip has no interrupts for apps: a watched one is looked at by a timer. */
struct pin {
    /** Counts up and is never used again; 0 in a free entry. */
    int32_t handle;
    int fd;
    bool output;
    int32_t last_seen;
    struct timer look;
};

static struct pin pins[MOST_OPEN];
static int32_t last_handle;

static struct pin *find(int32_t handle)
{
    for (size_t index = 0; handle > 0 && index < MOST_OPEN; index++) {
        if (pins[index].handle == handle) {
            return &pins[index];
        }
    }
    return NULL;
}

static struct pin *free_entry(void)
{
    for (size_t index = 0; index < MOST_OPEN; index++) {
        if (pins[index].handle == 0) {
            return &pins[index];
        }
    }
    return NULL;
}

/** @return 0 or 1, or a negative errno */
static int32_t level_of(const struct pin *pin)
{
    GPIO_Value_Type value = GPIO_Value_Low;
    return GPIO_GetValue(pin->fd, &value) < 0 ? -errno : value;
}

/** The app sees a change at its next look, and misses one that is undone before. */
static void look(void *context)
{
    struct pin *pin = context;
    int32_t level = level_of(pin);
    if (level < 0 || level == pin->last_seen) {
        return;
    }
    pin->last_seen = level;
    rt_event(RT_EVENT_GPIO, pin->handle, level);
}

static int32_t keep(int fd, bool output)
{
    if (fd < 0) {
        return -errno;
    }
    struct pin *pin = free_entry();
    if (pin == NULL) {
        close(fd);
        return -EMFILE;
    }
    *pin = (struct pin){ .handle = ++last_handle, .fd = fd, .output = output };
    pin->look.fire = look;
    pin->look.context = pin;
    return pin->handle;
}

int32_t host_gpio_openOutput(int32_t pin, int32_t mode, int32_t value)
{
    if (mode < GPIO_OutputMode_PushPull || mode > GPIO_OutputMode_OpenSource ||
        (value != GPIO_Value_Low && value != GPIO_Value_High)) {
        return -EINVAL;
    }
    return keep(GPIO_OpenAsOutput(pin, (GPIO_OutputMode_Type)mode, (GPIO_Value_Type)value), true);
}

int32_t host_gpio_openInput(int32_t pin)
{
    return keep(GPIO_OpenAsInput(pin), false);
}

int32_t host_gpio_read(int32_t handle)
{
    const struct pin *pin = find(handle);
    return pin == NULL ? -EBADF : level_of(pin);
}

int32_t host_gpio_write(int32_t handle, int32_t value)
{
    const struct pin *pin = find(handle);
    if (pin == NULL) {
        return -EBADF;
    }
    if (value != GPIO_Value_Low && value != GPIO_Value_High) {
        return -EINVAL;
    }
    if (!pin->output) {
        return 0;
    }
    return GPIO_SetValue(pin->fd, (GPIO_Value_Type)value) < 0 ? -errno : 0;
}

int32_t host_gpio_watch(int32_t handle, int32_t period_ms)
{
    struct pin *pin = find(handle);
    if (pin == NULL) {
        return -EBADF;
    }
    if (period_ms < 0 || period_ms > LONGEST_PERIOD_MS) {
        return -EINVAL;
    }
    timer_stop(&pin->look);
    pin->last_seen = level_of(pin);
    if (period_ms > 0) {
        timer_start(&pin->look, period_ms, period_ms);
    }
    return pin->last_seen;
}

int32_t host_gpio_close(int32_t handle)
{
    struct pin *pin = find(handle);
    if (pin == NULL) {
        return -EBADF;
    }
    timer_stop(&pin->look);
    pin->handle = 0;
    return close(pin->fd) < 0 ? -errno : 0;
}
