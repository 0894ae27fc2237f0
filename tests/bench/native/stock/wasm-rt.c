#include "wasm-rt.h"

#include <stdlib.h>

#include "app_wasm.h"

static uint8_t memory_bytes[65536];
static wasm_rt_funcref_t table_entries[256];
uint32_t wasm_rt_call_stack_depth;
w2c_app stock_app;

WASM_RT_NO_RETURN void wasm_rt_trap(wasm_rt_trap_t kind) { wasm_trap(64 + (uint32_t)kind, 0); }
bool wasm_rt_is_initialized(void) { return true; }
void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint64_t pages, uint64_t most, bool is64, uint32_t page) {
  if (pages != 1) abort();
  *memory = (wasm_rt_memory_t){memory_bytes, pages, most, page, sizeof memory_bytes, is64};
}
uint64_t wasm_rt_grow_memory(wasm_rt_memory_t *memory, uint64_t pages) {
  (void)memory, (void)pages;
  return UINT32_MAX;
}
void wasm_rt_free_memory(wasm_rt_memory_t *memory) { (void)memory; }
void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t count, uint32_t most) {
  if (count > sizeof table_entries / sizeof table_entries[0]) abort();
  *table = (wasm_rt_funcref_table_t){table_entries, most, count};
}
void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table) { (void)table; }

void *wasm_range(uint32_t at, uint32_t length) {
  return at > sizeof memory_bytes || length > sizeof memory_bytes - at ? NULL : memory_bytes + at;
}
