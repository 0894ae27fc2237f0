/** Functions that are inline in the headers and call exports with a version of their structures. */
#define UART_STRUCTS_VERSION 1
#define SPI_STRUCTS_VERSION 1
#include <applibs/applications.h>
#include <applibs/spi.h>
#include <applibs/uart.h>

#include <stddef.h>

#include "library_tests.h"

/** Sizes and places are a part of the binary interface; pointers have 4 bytes on the device. */
_Static_assert(sizeof(UART_Config) == 16 && offsetof(UART_Config, flowControl) == 12, "UART_Config");
_Static_assert(sizeof(SPIMaster_Config) == 8, "SPIMaster_Config");
_Static_assert(offsetof(SPIMaster_Transfer, length) == 8 + 2 * sizeof(void *), "SPIMaster_Transfer");

static void show(const char *name, long result)
{
    printf("%s %ld %d\n", name, result, result < 0 ? errno : 0);
    errno = 0;
}

static void show_size(const char *name, size_t kilobytes)
{
    printf("%s %zu %d\n", name, kilobytes, kilobytes == 0 ? errno : 0);
    errno = 0;
}

static void use_memory(void)
{
    size_t value = 0;
    show_size("total", Applications_GetTotalMemoryUsageInKB());
    show_size("user", Applications_GetUserModeMemoryUsageInKB());
    show_size("peak", Applications_GetPeakUserModeMemoryUsageInKB());
    show("attribute", z__Applications_GetMemoryInfo(3, &value, sizeof value));
    show("size", z__Applications_GetMemoryInfo(0, &value, 2));
    show("nowhere", z__Applications_GetMemoryInfo(0, NULL, sizeof value));
}

static void use_uart(void)
{
    UART_Config config = { .z__magicAndVersion = 7 };
    show("uart uninitialised", UART_Open(4, &config));
    show("uart null", UART_Open(4, NULL));
    UART_InitConfig(&config);
    printf("uart %08x %u %u\n", (unsigned)config.z__magicAndVersion, (unsigned)config.baudRate,
           config.dataBits);
    show("uart open", UART_Open(4, &config));
    config.dataBits = 9;
    show("uart bits", UART_Open(4, &config));
}

static void use_spi(void)
{
    SPIMaster_Config config;
    SPIMaster_Transfer transfers[2];
    show("spi config null", SPIMaster_InitConfig(NULL));
    show("spi config", SPIMaster_InitConfig(&config));
    show("spi open", SPIMaster_Open(1, -1, &config));
    show("spi chip select", SPIMaster_Open(1, 0, &config));
    show("spi transfers", SPIMaster_InitTransfers(transfers, 2));
    printf("spi %08x %08x\n", (unsigned)config.z__magicAndVersion,
           (unsigned)transfers[1].z__magicAndVersion);
    show("spi too many", SPIMaster_InitTransfers(transfers, 257));
    show("spi transfer", SPIMaster_TransferSequential(0, transfers, 2));
}

void versioned(void)
{
    use_memory();
    use_uart();
    use_spi();
}
