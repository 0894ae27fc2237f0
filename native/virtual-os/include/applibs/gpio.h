/** Pins. Needs the `Gpio` capability. An open pin is a descriptor: close() gives it back. */
#ifndef APPLIBS_GPIO_H
#define APPLIBS_GPIO_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int GPIO_Id;

typedef uint8_t GPIO_Value_Type;
typedef enum {
    GPIO_Value_Low = 0,
    GPIO_Value_High = 1,
} GPIO_Value;

typedef uint8_t GPIO_OutputMode_Type;
typedef enum {
    GPIO_OutputMode_PushPull = 0,
    GPIO_OutputMode_OpenDrain = 1,
    GPIO_OutputMode_OpenSource = 2,
} GPIO_OutputMode;

/** @return a descriptor, or -1 with errno EACCES, ENODEV, EBUSY */
int GPIO_OpenAsInput(GPIO_Id gpioId);

/** @return a descriptor, or -1 with errno EACCES, ENODEV, EBUSY, EINVAL */
int GPIO_OpenAsOutput(GPIO_Id gpioId, GPIO_OutputMode_Type outputMode,
                      GPIO_Value_Type initialValue);

/** Works on outputs too. @return 0, or -1 with errno EFAULT, EBADF */
int GPIO_GetValue(int gpioFd, GPIO_Value_Type *outValue);

/** Does nothing to an input. @return 0, or -1 with errno EINVAL, EBADF */
int GPIO_SetValue(int gpioFd, GPIO_Value_Type value);

#ifdef __cplusplus
}
#endif

#endif
