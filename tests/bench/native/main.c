/* `main NAME N` runs a kernel N times and prints its sum. With -DUSE_WASM the translated ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef USE_WASM
#include "app_wasm.h"
#define KERNEL(name) {#name, wasm_export_##name}
typedef int32_t number;
#else
#include "kernels.h"
#define KERNEL(name) {#name, kernel_##name}
typedef uint32_t number;
#endif

static const struct {
  const char *name;
  number (*run)(number n);
} kernels[] = {
    KERNEL(fib),      KERNEL(crc32),    KERNEL(sha256),    KERNEL(matmul), KERNEL(doubles), KERNEL(base64),
    KERNEL(jsonscan), KERNEL(jsontree), KERNEL(telemetry), KERNEL(median),
};

int main(int argc, char **argv) {
  if (argc != 3) return 2;
#ifdef USE_WASM
  wasm_initialize();
  wasm_export_start();
#else
  kernel_prepare();
#endif
  for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
    if (strcmp(kernels[i].name, argv[1]) != 0) continue;
    printf("%u\n", (unsigned)kernels[i].run((number)atoi(argv[2])));
    return 0;
  }
  return 2;
}

#ifdef USE_WASM
_Noreturn void wasm_trap(uint32_t kind, uint32_t site) {
  fprintf(stderr, "trap %u at %u\n", (unsigned)kind, (unsigned)site);
  exit(1);
}
_Noreturn void host_env_abort(int32_t message, int32_t file, int32_t line, int32_t column) {
  fprintf(stderr, "abort %d %d at %d:%d\n", (int)message, (int)file, (int)line, (int)column);
  exit(1);
}
#endif
