/**
 * SPI as master. Needs the `SpiMaster` capability. Define SPI_STRUCTS_VERSION as 1 before including
 * it: a program says by it which form its structures have.
 */
#ifndef APPLIBS_SPI_H
#define APPLIBS_SPI_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if !defined(SPI_STRUCTS_VERSION) || SPI_STRUCTS_VERSION != 1
#error "define SPI_STRUCTS_VERSION as 1 before including <applibs/spi.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** 0 to 4 are ISU0 to ISU4. */
typedef int SPI_InterfaceId;

/** -1 is CSA, -2 is CSB. */
typedef int SPI_ChipSelectId;

typedef uint32_t SPI_Mode;
enum {
    SPI_Mode_Invalid = 0,
    SPI_Mode_0 = 1,
    SPI_Mode_1 = 2,
    SPI_Mode_2 = 3,
    SPI_Mode_3 = 4,
};

typedef uint32_t SPI_BitOrder;
enum { SPI_BitOrder_Invalid = 0, SPI_BitOrder_LsbFirst = 1, SPI_BitOrder_MsbFirst = 2 };

typedef uint32_t SPI_ChipSelectPolarity;
enum {
    SPI_ChipSelectPolarity_Invalid = 0,
    SPI_ChipSelectPolarity_ActiveLow = 1,
    SPI_ChipSelectPolarity_ActiveHigh = 2,
};

typedef uint32_t SPI_TransferFlags;
enum { SPI_TransferFlags_None = 0, SPI_TransferFlags_Read = 1, SPI_TransferFlags_Write = 2 };

struct z__SPIMaster_Config_Base {
    uint32_t z__magicAndVersion;
};
struct z__SPIMaster_Config_v1 {
    uint32_t z__magicAndVersion;
    SPI_ChipSelectPolarity csPolarity;
};
typedef struct z__SPIMaster_Config_v1 SPIMaster_Config;

struct z__SPIMaster_Transfer_Base {
    uint32_t z__magicAndVersion;
};
struct z__SPIMaster_Transfer_v1 {
    uint32_t z__magicAndVersion;
    SPI_TransferFlags flags;
    const uint8_t *writeData;
    uint8_t *readData;
    size_t length;
};
typedef struct z__SPIMaster_Transfer_v1 SPIMaster_Transfer;

/** What the library exports; call the functions below. */
int z__SPIMaster_InitConfig(struct z__SPIMaster_Config_Base *config, uint32_t structVersion);
int z__SPIMaster_Open(SPI_InterfaceId interfaceId, SPI_ChipSelectId chipSelectId,
                      const struct z__SPIMaster_Config_Base *config);
int z__SPIMaster_InitTransfers(struct z__SPIMaster_Transfer_Base *transfers, size_t transferCount,
                               uint32_t structVersion);
ssize_t z__SPIMaster_TransferSequential(int fd, const struct z__SPIMaster_Transfer_Base *transfers,
                                        size_t transferCount);

/** Active low. @return 0, or -1 with errno EFAULT */
static inline int SPIMaster_InitConfig(SPIMaster_Config *config)
{
    return z__SPIMaster_InitConfig((struct z__SPIMaster_Config_Base *)config, SPI_STRUCTS_VERSION);
}

/** @return a descriptor, or -1 with errno EACCES, EFAULT, EINVAL, ENODEV */
static inline int SPIMaster_Open(SPI_InterfaceId interfaceId, SPI_ChipSelectId chipSelectId,
                                 const SPIMaster_Config *config)
{
    return z__SPIMaster_Open(interfaceId, chipSelectId,
                             (const struct z__SPIMaster_Config_Base *)config);
}

/** @return 0, or -1 with errno EFAULT */
static inline int SPIMaster_InitTransfers(SPIMaster_Transfer *transfers, size_t transferCount)
{
    return z__SPIMaster_InitTransfers((struct z__SPIMaster_Transfer_Base *)transfers,
                                      transferCount, SPI_STRUCTS_VERSION);
}

/** At most 256 transfers. @return bytes, or -1 with errno EBADF, EFAULT, EINVAL */
static inline ssize_t SPIMaster_TransferSequential(int fd, const SPIMaster_Transfer *transfers,
                                                   size_t transferCount)
{
    return z__SPIMaster_TransferSequential(
        fd, (const struct z__SPIMaster_Transfer_Base *)transfers, transferCount);
}

#ifdef __cplusplus
}
#endif

#endif
