/** Names of options, and what their values point to. */
#ifndef AZUREIOT_IOTHUB_CLIENT_OPTIONS_H
#define AZUREIOT_IOTHUB_CLIENT_OPTIONS_H

/** `const bool *`: properties are percent-encoded on the wire. */
static const char *const OPTION_AUTO_URL_ENCODE_DECODE = "auto_url_encode_decode";
/** `const char *`: the DTDL model id, told to the hub on connect. */
static const char *const OPTION_MODEL_ID = "model_id";
/** `const int *`, seconds between two pings. */
static const char *const OPTION_KEEP_ALIVE = "keepalive";

#endif
