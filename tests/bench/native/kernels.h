/* The kernels of tests/fixtures/assembly/kernels.ts by hand: each runs `n` times and answers a sum. */
#include <stdint.h>

uint32_t kernel_fib(uint32_t n);
uint32_t kernel_crc32(uint32_t n);
uint32_t kernel_sha256(uint32_t n);
uint32_t kernel_matmul(uint32_t n);
uint32_t kernel_doubles(uint32_t n);
uint32_t kernel_base64(uint32_t n);
uint32_t kernel_jsonscan(uint32_t n);
uint32_t kernel_jsontree(uint32_t n);
uint32_t kernel_telemetry(uint32_t n);
uint32_t kernel_median(uint32_t n);
void kernel_prepare(void);
