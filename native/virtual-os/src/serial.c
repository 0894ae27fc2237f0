/**
 * Serial buses. Structures say their version, programs call the exports that begin with z__.
 * The operating system knows what the manifest allows and what the board has: nothing so far.
 */
#define UART_STRUCTS_VERSION 1
#define SPI_STRUCTS_VERSION 1
#include <applibs/spi.h>
#include <applibs/uart.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "channel.h"

#define UART_CONFIG 0xde2a0000u
#define SPI_CONFIG 0x45170000u
#define SPI_TRANSFER 0x22130000u
#define VERSION 1u
#define MOST_TRANSFERS 256u

/** As the capabilities are numbered in docs/virtual-os-protocol.md. */
enum peripheral { PERIPHERAL_UART = 1, PERIPHERAL_SPI_MASTER = 2 };

static int fail(int error)
{
    errno = error;
    return -1;
}

/** Asks for a peripheral; there is no answer yet that gives one. */
static int open_peripheral(enum peripheral kind, int id)
{
    uint8_t payload[8];
    struct wire_writer writer = { payload, sizeof payload, 0, false };
    wire_put_u32(&writer, (uint32_t)kind);
    wire_put_u32(&writer, (uint32_t)id);
    struct channel_frame frame = { FRAME_PERIPHERAL_OPEN, payload, sizeof payload, NULL, 0 };
    int result = channel_control(&frame, NULL);
    return fail(result < 0 ? -result : EPROTO);
}

void z__UART_InitConfig(struct z__UART_Config_Base *uartConfig, uint32_t uartStructVersion)
{
    if (uartConfig == NULL || uartStructVersion != VERSION) {
        return;
    }
    UART_Config *config = (UART_Config *)uartConfig;
    memset(config, 0, sizeof *config);
    config->z__magicAndVersion = UART_CONFIG | VERSION;
    config->baudRate = 115200;
    config->blockingMode = UART_BlockingMode_NonBlocking;
    config->dataBits = UART_DataBits_Eight;
    config->parity = UART_Parity_None;
    config->stopBits = UART_StopBits_One;
    config->flowControl = UART_FlowControl_None;
}

static bool is_valid(const UART_Config *config)
{
    return config->z__magicAndVersion == (UART_CONFIG | VERSION) && config->baudRate > 0 &&
           config->blockingMode == UART_BlockingMode_NonBlocking &&
           config->dataBits >= UART_DataBits_Five && config->dataBits <= UART_DataBits_Eight &&
           config->parity <= UART_Parity_Odd && config->stopBits >= UART_StopBits_One &&
           config->stopBits <= UART_StopBits_Two &&
           config->flowControl <= UART_FlowControl_XONXOFF;
}

int z__UART_Open(UART_Id uartId, const struct z__UART_Config_Base *uartConfig)
{
    if (uartConfig == NULL) {
        return fail(EFAULT);
    }
    return is_valid((const UART_Config *)uartConfig) ? open_peripheral(PERIPHERAL_UART, uartId)
                                                     : fail(EINVAL);
}

int z__SPIMaster_InitConfig(struct z__SPIMaster_Config_Base *config, uint32_t structVersion)
{
    if (config == NULL) {
        return fail(EFAULT);
    }
    if (structVersion != VERSION) {
        return fail(EINVAL);
    }
    *(SPIMaster_Config *)config =
        (SPIMaster_Config){ SPI_CONFIG | VERSION, SPI_ChipSelectPolarity_ActiveLow };
    return 0;
}

int z__SPIMaster_Open(SPI_InterfaceId interfaceId, SPI_ChipSelectId chipSelectId,
                      const struct z__SPIMaster_Config_Base *config)
{
    if (config == NULL) {
        return fail(EFAULT);
    }
    const SPIMaster_Config *given = (const SPIMaster_Config *)config;
    bool valid = given->z__magicAndVersion == (SPI_CONFIG | VERSION) &&
                 given->csPolarity >= SPI_ChipSelectPolarity_ActiveLow &&
                 given->csPolarity <= SPI_ChipSelectPolarity_ActiveHigh &&
                 (chipSelectId == -1 || chipSelectId == -2);
    return valid ? open_peripheral(PERIPHERAL_SPI_MASTER, interfaceId) : fail(EINVAL);
}

int z__SPIMaster_InitTransfers(struct z__SPIMaster_Transfer_Base *transfers, size_t transferCount,
                               uint32_t structVersion)
{
    if (transfers == NULL) {
        return fail(EFAULT);
    }
    if (structVersion != VERSION || transferCount > MOST_TRANSFERS) {
        return fail(EINVAL);
    }
    SPIMaster_Transfer *list = (SPIMaster_Transfer *)transfers;
    for (size_t index = 0; index < transferCount; index++) {
        list[index] = (SPIMaster_Transfer){ .z__magicAndVersion = SPI_TRANSFER | VERSION };
    }
    return 0;
}

/** No descriptor is one of SPI, because none was ever opened. */
ssize_t z__SPIMaster_TransferSequential(int fd, const struct z__SPIMaster_Transfer_Base *transfers,
                                        size_t transferCount)
{
    (void)fd;
    if (transfers == NULL) {
        return fail(EFAULT);
    }
    return fail(transferCount > MOST_TRANSFERS ? EINVAL : EBADF);
}
