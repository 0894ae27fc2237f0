/**
 * Serial ports. Needs the `Uart` capability. Define UART_STRUCTS_VERSION as 1 before including it:
 * a program says by it which form its structures have.
 */
#ifndef APPLIBS_UART_H
#define APPLIBS_UART_H

#include <stdint.h>

#if !defined(UART_STRUCTS_VERSION) || UART_STRUCTS_VERSION != 1
#error "define UART_STRUCTS_VERSION as 1 before including <applibs/uart.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** 4 to 8 are ISU0 to ISU4. */
typedef int UART_Id;

typedef uint32_t UART_BaudRate_Type;

typedef uint8_t UART_BlockingMode_Type;
typedef enum { UART_BlockingMode_NonBlocking = 0 } UART_BlockingMode;

typedef uint8_t UART_DataBits_Type;
typedef enum {
    UART_DataBits_Five = 5,
    UART_DataBits_Six = 6,
    UART_DataBits_Seven = 7,
    UART_DataBits_Eight = 8,
} UART_DataBits;

typedef uint8_t UART_Parity_Type;
typedef enum { UART_Parity_None = 0, UART_Parity_Even = 1, UART_Parity_Odd = 2 } UART_Parity;

typedef uint8_t UART_StopBits_Type;
typedef enum { UART_StopBits_One = 1, UART_StopBits_Two = 2 } UART_StopBits;

typedef uint8_t UART_FlowControl_Type;
typedef enum {
    UART_FlowControl_None = 0,
    UART_FlowControl_RTSCTS = 1,
    UART_FlowControl_XONXOFF = 2,
} UART_FlowControl;

struct z__UART_Config_Base {
    uint32_t z__magicAndVersion;
};
struct z__UART_Config_v1 {
    uint32_t z__magicAndVersion;
    UART_BaudRate_Type baudRate;
    UART_BlockingMode_Type blockingMode;
    UART_DataBits_Type dataBits;
    UART_Parity_Type parity;
    UART_StopBits_Type stopBits;
    UART_FlowControl_Type flowControl;
};
typedef struct z__UART_Config_v1 UART_Config;

/** What the library exports; call the functions below. */
void z__UART_InitConfig(struct z__UART_Config_Base *uartConfig, uint32_t uartStructVersion);
int z__UART_Open(UART_Id uartId, const struct z__UART_Config_Base *uartConfig);

/** 115,200 baud, 8 data bits, no parity, 1 stop bit, no flow control. */
static inline void UART_InitConfig(UART_Config *uartConfig)
{
    z__UART_InitConfig((struct z__UART_Config_Base *)uartConfig, UART_STRUCTS_VERSION);
}

/** @return a descriptor, or -1 with errno EACCES, EFAULT, EINVAL, ENODEV */
static inline int UART_Open(UART_Id uartId, const UART_Config *uartConfig)
{
    return z__UART_Open(uartId, (const struct z__UART_Config_Base *)uartConfig);
}

#ifdef __cplusplus
}
#endif

#endif
