/**
 * What the generated functions stand on. `{…}` marks are filled by `emit.ts`; parts that a module does
 * not use stay, because unused static inline functions cost nothing.
 */
export const PRELUDE = `
#if !defined(__GNUC__)
#error "The generated code needs gcc or clang."
#endif
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The generated code needs a little-endian processor."
#endif
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Winfinite-recursion"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wunused-but-set-parameter"
#pragma GCC diagnostic ignored "-Wint-in-bool-context"
#pragma GCC diagnostic ignored "-Wswitch-bool"
#pragma GCC diagnostic ignored "-Wtautological-compare"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-label"
#pragma GCC diagnostic ignored "-Wunused-value"
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wdiv-by-zero"
#pragma GCC diagnostic ignored "-Wempty-body"
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Wself-assign"
#pragma GCC diagnostic ignored "-Wparentheses-equality"
#else
#pragma GCC diagnostic ignored "-Wcast-function-type"
#pragma GCC diagnostic ignored "-Wbool-compare"
#pragma GCC diagnostic ignored "-Wbool-operation"
#pragma GCC diagnostic ignored "-Wduplicated-branches"
#endif

#define WASM_UNLIKELY(condition) __builtin_expect((condition), 0)
#define WASM_INLINE static inline __attribute__((always_inline))

/* ---- memory ---- */
#define WASM_INITIAL_PAGES {pages}ull
#define WASM_MAXIMUM_PAGES {maximum}ull
#define WASM_INITIAL_BYTES (WASM_INITIAL_PAGES * 65536ull)
#define WASM_LEAST(a, b) ((a) < (b) ? (a) : (b))
#if {grows} && WASM_MEMORY_CAPACITY >= (WASM_INITIAL_PAGES + 1) * 65536ull
#define WASM_GROWS 1
static uint32_t wasm_pages = WASM_INITIAL_PAGES;
static uint32_t wasm_bytes = WASM_INITIAL_BYTES;
#else
#define WASM_GROWS 0
#define wasm_pages ((uint32_t)WASM_INITIAL_PAGES)
#define wasm_bytes ((uint32_t)WASM_LEAST(WASM_INITIAL_BYTES, (uint64_t)WASM_MEMORY_CAPACITY))
#endif
#if WASM_MEMORY_CAPACITY < WASM_DATA_END
#error "WASM_MEMORY_CAPACITY is less than the app's static data; make it larger."
#endif
#if WASM_MEMORY_CAPACITY > 0xffff0000 || WASM_MEMORY_CAPACITY % 16 != 0 || WASM_MEMORY_CAPACITY == 0
#error "WASM_MEMORY_CAPACITY has to be a multiple of 16 and below 4 GiB."
#endif

__attribute__((aligned(16))) uint8_t wasm_memory[WASM_MEMORY_CAPACITY];

/* end is a constant: with memory of a constant size each test is one comparison. */
#define WASM_OUTSIDE(address, end) ((end) > wasm_bytes || (address) > wasm_bytes - (end))
#define WASM_BEYOND(end) ((end) > wasm_bytes)
#define WASM_AT(address, offset) (wasm_memory + (address) + (offset))

/* Of (x & m) << n gcc makes x << n & m << n, and then no load can do the shift for nothing. */
WASM_INLINE uint32_t wasm_index(uint32_t x) {
#if defined(__arm__)
  if (!__builtin_constant_p(x)) __asm__("" : "+r"(x));
#endif
  return x;
}

#define WASM_CELL(name, type) \\
  WASM_INLINE type wasm_load_##name(const uint8_t *at) { \\
    type value; \\
    __builtin_memcpy(&value, at, sizeof value); \\
    return value; \\
  } \\
  WASM_INLINE void wasm_store_##name(uint8_t *at, type value) { \\
    __builtin_memcpy(at, &value, sizeof value); \\
  }
WASM_CELL(8, uint8_t)
WASM_CELL(16, uint16_t)
WASM_CELL(32, uint32_t)
WASM_CELL(64, uint64_t)
WASM_CELL(f32, float)
#if defined(__ARM_NEON) && !defined(__clang__)
/* The only load of 8 bytes into a float register that may be unaligned. */
struct wasm_eight {
  uint8_t bytes[8];
};
WASM_INLINE double wasm_load_f64(const uint8_t *at) {
  double value;
  __asm__("vld1.8 {%P0}, %A1" : "=w"(value) : "Um"(*(const struct wasm_eight *)at));
  return value;
}
WASM_INLINE void wasm_store_f64(uint8_t *at, double value) {
  __asm__("vst1.8 {%P1}, %A0" : "=Um"(*(struct wasm_eight *)at) : "w"(value));
}
#else
WASM_CELL(f64, double)
#endif

uint32_t wasm_memory_bytes(void) { return wasm_bytes; }

void *wasm_range(uint32_t at, uint32_t length) {
  if (length > wasm_bytes || at > wasm_bytes - length) return NULL;
  return wasm_memory + at;
}

static void wasm_copy(uint32_t to, uint32_t from, uint32_t length, uint32_t site) {
  if (!wasm_range(to, length) || !wasm_range(from, length)) {
    wasm_trap(WASM_TRAP_OUT_OF_BOUNDS, site);
  }
  memmove(wasm_memory + to, wasm_memory + from, length);
}

static void wasm_fill(uint32_t to, uint32_t value, uint32_t length, uint32_t site) {
  if (!wasm_range(to, length)) wasm_trap(WASM_TRAP_OUT_OF_BOUNDS, site);
  memset(wasm_memory + to, (int)(value & 255), length);
}

static uint32_t wasm_grow(uint32_t pages) {
#if WASM_GROWS
  const uint32_t before = wasm_pages;
  const uint64_t wanted = (uint64_t)before + pages;
  if (wanted > WASM_MAXIMUM_PAGES || wanted * 65536u > WASM_MEMORY_CAPACITY) return UINT32_MAX;
  wasm_pages = (uint32_t)wanted;
  wasm_bytes = (uint32_t)(wanted * 65536u);
  return before;
#else
  return pages == 0 ? wasm_pages : UINT32_MAX;
#endif
}

/* ---- stack ---- */
static uintptr_t wasm_stack_limit;

WASM_INLINE uintptr_t wasm_stack_pointer(void) {
#if defined(__arm__) && !defined(__clang__)
  register uintptr_t value __asm__("sp");
  return value;
#else
  uintptr_t value;
#if defined(__arm__)
  __asm__ volatile("mov %0, sp" : "=r"(value));
#elif defined(__x86_64__)
  __asm__ volatile("movq %%rsp, %0" : "=r"(value));
#elif defined(__aarch64__)
  __asm__ volatile("mov %0, sp" : "=r"(value));
#else
  value = (uintptr_t)__builtin_frame_address(0);
#endif
  return value;
#endif
}
#define WASM_CHECK_STACK(site) \\
  if (WASM_UNLIKELY(wasm_stack_pointer() < wasm_stack_limit)) \\
  wasm_trap(WASM_TRAP_STACK_EXHAUSTED, site)

/* ---- numbers ---- */
WASM_INLINE uint32_t wasm_clz32(uint32_t x) { return x ? (uint32_t)__builtin_clz(x) : 32; }
WASM_INLINE uint32_t wasm_ctz32(uint32_t x) { return x ? (uint32_t)__builtin_ctz(x) : 32; }
WASM_INLINE uint64_t wasm_clz64(uint64_t x) { return x ? (uint64_t)__builtin_clzll(x) : 64; }
WASM_INLINE uint64_t wasm_ctz64(uint64_t x) { return x ? (uint64_t)__builtin_ctzll(x) : 64; }
WASM_INLINE uint32_t wasm_rotl32(uint32_t x, uint32_t n) {
  return x << (n & 31) | x >> (-n & 31);
}
WASM_INLINE uint32_t wasm_rotr32(uint32_t x, uint32_t n) {
  return x >> (n & 31) | x << (-n & 31);
}
WASM_INLINE uint64_t wasm_rotl64(uint64_t x, uint64_t n) {
  return x << (n & 63) | x >> (-n & 63);
}
WASM_INLINE uint64_t wasm_rotr64(uint64_t x, uint64_t n) {
  return x >> (n & 63) | x << (-n & 63);
}

#define WASM_BITS(name, type, bits) \\
  WASM_INLINE bits wasm_bits_##name(type x) { \\
    bits value; \\
    __builtin_memcpy(&value, &x, sizeof value); \\
    return value; \\
  } \\
  WASM_INLINE type wasm_##name(bits x) { \\
    type value; \\
    __builtin_memcpy(&value, &x, sizeof value); \\
    return value; \\
  }
WASM_BITS(f32, float, uint32_t)
WASM_BITS(f64, double, uint64_t)

/* Without the barrier a promotion and its demotion vanish together, and with them the quiet bit. */
WASM_INLINE float wasm_demote(double x) {
#if defined(__arm__)
  __asm__("" : "+w"(x));
#elif defined(__x86_64__)
  __asm__("" : "+x"(x));
#else
  volatile double kept = x;
  x = kept;
#endif
  return (float)x;
}

/* Adding quiets a signalling NaN; not every C library does that in these functions. */
#define WASM_ROUND(name, function, type, short) \\
  WASM_INLINE type wasm_##function##_##short(type x) { \\
    return x != x ? x + x : __builtin_##name(x); \\
  }
WASM_ROUND(ceilf, ceil, float, f32)
WASM_ROUND(floorf, floor, float, f32)
WASM_ROUND(truncf, trunc, float, f32)
WASM_ROUND(nearbyintf, nearbyint, float, f32)
WASM_ROUND(ceil, ceil, double, f64)
WASM_ROUND(floor, floor, double, f64)
WASM_ROUND(trunc, trunc, double, f64)
WASM_ROUND(nearbyint, nearbyint, double, f64)

/* Of two zeros the negative one is less. */
#define WASM_ORDER(short, type) \\
  WASM_INLINE type wasm_min_##short(type a, type b) { \\
    if (a < b) return a; \\
    if (b < a) return b; \\
    if (a == b) return wasm_bits_##short(a) >> (sizeof(type) * 8 - 1) ? a : b; \\
    return a + b; \\
  } \\
  WASM_INLINE type wasm_max_##short(type a, type b) { \\
    if (a > b) return a; \\
    if (b > a) return b; \\
    if (a == b) return wasm_bits_##short(a) >> (sizeof(type) * 8 - 1) ? b : a; \\
    return a + b; \\
  }
WASM_ORDER(f32, float)
WASM_ORDER(f64, double)

#define WASM_SATURATE(bits, short, type, low, high, unsigned_high) \\
  WASM_INLINE uint##bits##_t wasm_saturate_i##bits##_##short##_s(type x) { \\
    if (x >= low && x < high) return (uint##bits##_t)(int##bits##_t)x; \\
    return x != x ? 0 : x < 0 ? (uint##bits##_t)INT##bits##_MIN : (uint##bits##_t)INT##bits##_MAX; \\
  } \\
  WASM_INLINE uint##bits##_t wasm_saturate_i##bits##_##short##_u(type x) { \\
    if (x > (type)-1 && x < unsigned_high) return (uint##bits##_t)x; \\
    return x > 0 ? UINT##bits##_MAX : 0; \\
  }
WASM_SATURATE(32, f32, float, -0x1p31f, 0x1p31f, 0x1p32f)
WASM_SATURATE(32, f64, double, -0x1p31, 0x1p31, 0x1p32)
WASM_SATURATE(64, f32, float, -0x1p63f, 0x1p63f, 0x1p64f)
WASM_SATURATE(64, f64, double, -0x1p63, 0x1p63, 0x1p64)
`;

/** Only for modules with passive data segments. */
export const SEGMENTS = `
static void wasm_init(
    uint32_t segment, uint32_t to, uint32_t from, uint32_t length, uint32_t site) {
  const uint32_t bytes = wasm_segment_bytes[segment];
  if (length > bytes || from > bytes - length || !wasm_range(to, length)) {
    wasm_trap(WASM_TRAP_OUT_OF_BOUNDS, site);
  }
  /* An empty segment has no bytes to point to. */
  if (length > 0) memcpy(wasm_memory + to, wasm_segments[segment] + from, length);
}
`;
