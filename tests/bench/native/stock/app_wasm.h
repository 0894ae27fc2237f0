/* The names that app.c knows, for what wasm2c makes of the same module. */
#include "stock.h"

extern w2c_app stock_app;
_Noreturn void wasm_trap(uint32_t kind, uint32_t site);
void *wasm_range(uint32_t at, uint32_t length);
void wasm_initialize(void);
#define wasm_export_start() w2c_app_start(&stock_app)
#define wasm_export_collect() w2c_app_collect(&stock_app)
#define wasm_export_onTimer(id) w2c_app_onTimer(&stock_app, (u32)(id))
#define wasm_export_onEvent(kind, id, value) \
  w2c_app_onEvent(&stock_app, (u32)(kind), (u32)(id), (u32)(value))
