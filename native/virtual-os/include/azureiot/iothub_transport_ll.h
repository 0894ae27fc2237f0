/** How a client names its transport: a function that nobody but the library calls. */
#ifndef AZUREIOT_IOTHUB_TRANSPORT_LL_H
#define AZUREIOT_IOTHUB_TRANSPORT_LL_H

typedef struct TRANSPORT_PROVIDER_TAG TRANSPORT_PROVIDER;
typedef const TRANSPORT_PROVIDER *(*IOTHUB_CLIENT_TRANSPORT_PROVIDER)(void);

#endif
