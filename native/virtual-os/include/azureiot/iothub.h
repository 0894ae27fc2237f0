/** Start and end of the library. */
#ifndef AZUREIOT_IOTHUB_H
#define AZUREIOT_IOTHUB_H

#ifdef __cplusplus
extern "C" {
#endif

/** @return 0 */
int IoTHub_Init(void);
void IoTHub_Deinit(void);

#ifdef __cplusplus
}
#endif

#endif
