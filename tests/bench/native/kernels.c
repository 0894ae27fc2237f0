/* The measure for the translator: the kernels of tests/fixtures/assembly/kernels.ts, by hand. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint8_t data[4096];
static uint32_t crc_table[256];
static const char text[] =
    "{\"device\":\"thermometer\",\"temperature\":21.5,\"humidity\":40,\"tags\":[\"a\",\"b\",\"kitchen\"],"
    "\"limits\":{\"low\":-10,\"high\":85,\"alarm\":true},\"history\":[20,21,22,23,24,25,26,27],"
    "\"note\":\"a text that is a little longer than the others\",\"seen\":null,\"ok\":false}";
#define TEXT_LENGTH ((int)sizeof text - 1)

void kernel_prepare(void) {
  for (int i = 0; i < 4096; i++) data[i] = (uint8_t)(i * 7 + (i >> 5));
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? (value >> 1) ^ 0xedb88320u : value >> 1;
    crc_table[i] = value;
  }
}

static uint32_t fibonacci(int n) {
  return n < 2 ? (uint32_t)n : fibonacci(n - 1) + fibonacci(n - 2);
}

uint32_t kernel_fib(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; i++) sum += fibonacci((int)(20 + ((i ^ sum) & 1)));
  return sum;
}

static uint32_t crc_of(const uint8_t *bytes, int length) {
  uint32_t crc = 0xffffffff;
  for (int i = 0; i < length; i++) crc = crc_table[(crc ^ bytes[i]) & 255] ^ (crc >> 8);
  return ~crc;
}

uint32_t kernel_crc32(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    data[0] = (uint8_t)i;
    sum += crc_of(data, 4096);
  }
  return sum;
}

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static uint32_t state[8];
static uint32_t w[64];

static uint32_t rotr(uint32_t x, int bits) { return x >> bits | x << (32 - bits); }

static void sha256_block(const uint8_t *p) {
  for (int i = 0; i < 16; i++, p += 4) {
    w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
  }
  for (int i = 16; i < 64; i++) {
    const uint32_t x = w[i - 15], y = w[i - 2];
    const uint32_t s0 = rotr(x, 7) ^ rotr(x, 18) ^ (x >> 3);
    const uint32_t s1 = rotr(y, 17) ^ rotr(y, 19) ^ (y >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    const uint32_t s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
    const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i];
    const uint32_t s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
    const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

uint32_t kernel_sha256(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    for (int word = 0; word < 8; word++) state[word] = k[word] + i;
    for (int at = 0; at < 4096; at += 64) sha256_block(data + at);
    sum += state[0];
  }
  return sum;
}

#define SIZE 24
static float a_matrix[SIZE * SIZE], b_matrix[SIZE * SIZE], c_matrix[SIZE * SIZE];

uint32_t kernel_matmul(uint32_t n) {
  for (int i = 0; i < SIZE * SIZE; i++) {
    a_matrix[i] = (float)(i % 7) * 0.5f;
    b_matrix[i] = (float)(i % 5) - 1.25f;
  }
  for (uint32_t round = 0; round < n; round++) {
    for (int row = 0; row < SIZE; row++) {
      for (int column = 0; column < SIZE; column++) {
        float sum = 0;
        for (int i = 0; i < SIZE; i++) sum += a_matrix[row * SIZE + i] * b_matrix[i * SIZE + column];
        c_matrix[row * SIZE + column] = sum;
      }
    }
    a_matrix[0] = c_matrix[5] * 0.001f;
  }
  uint32_t bits;
  memcpy(&bits, &c_matrix[SIZE + 1], 4);
  return bits;
}

static double series[256];

uint32_t kernel_doubles(uint32_t n) {
  for (int i = 0; i < 256; i++) series[i] = (double)i * 0.37 - 20.0;
  double total = 0;
  for (uint32_t round = 0; round < n; round++) {
    double mean = 0, square = 0;
    for (int i = 0; i < 256; i++) {
      const double x = series[i];
      mean += x * 0.99 + 0.125;
      square += x * x - x / 3.0;
    }
    total += sqrt(square - mean) + mean;
    series[0] = total * 1e-9;
  }
  uint64_t bits;
  memcpy(&bits, &total, 8);
  return (uint32_t)(bits >> 20);
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static uint8_t encoded[1368];

static int encode(int length) {
  int to = 0;
  for (int i = 0; i < length; i += 3) {
    const uint32_t b0 = data[i];
    const uint32_t b1 = i + 1 < length ? data[i + 1] : 0;
    const uint32_t b2 = i + 2 < length ? data[i + 2] : 0;
    const uint32_t word = b0 << 16 | b1 << 8 | b2;
    encoded[to++] = (uint8_t)alphabet[word >> 18];
    encoded[to++] = (uint8_t)alphabet[(word >> 12) & 63];
    encoded[to++] = i + 1 < length ? (uint8_t)alphabet[(word >> 6) & 63] : '=';
    encoded[to++] = i + 2 < length ? (uint8_t)alphabet[word & 63] : '=';
  }
  return to;
}

uint32_t kernel_base64(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    data[0] = (uint8_t)i;
    sum += crc_of(encoded, encode(1024));
  }
  return sum;
}

uint32_t kernel_jsonscan(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t round = 0; round < n; round++) {
    uint32_t depth = 0;
    int i = 0;
    while (i < TEXT_LENGTH) {
      const char c = text[i++];
      if (c == '"') {
        const int from = i;
        while (text[i] != '"') i += text[i] == '\\' ? 2 : 1;
        sum += (uint32_t)(i - from);
        i++;
      } else if (c == '{' || c == '[') {
        sum += ++depth;
      } else if (c == '}' || c == ']') {
        depth--;
      } else if (c >= '0' && c <= '9') {
        uint32_t value = (uint32_t)(c - '0');
        while (text[i] >= '0' && text[i] <= '9') value = value * 10 + (uint32_t)(text[i++] - '0');
        sum += value;
      }
    }
  }
  return sum;
}

struct node {
  int kind, from, length, value;
  struct node *first, *next;
};
static int position;

static void parse_children(struct node *parent);

static struct node *parse_node(void) {
  struct node *node = calloc(1, sizeof *node);
  if (!node) abort();
  const char c = text[position];
  node->kind = c;
  if (c == '"') {
    node->from = ++position;
    while (text[position] != '"') position++;
    node->length = position++ - node->from;
  } else if (c == '{' || c == '[') {
    parse_children(node);
  } else if (c == '-' || (c >= '0' && c <= '9')) {
    if (c == '-') position++;
    int value = 0;
    while (text[position] >= '0' && text[position] <= '9') {
      value = value * 10 + (text[position++] - '0');
    }
    node->value = c == '-' ? -value : value;
    if (text[position] == '.') {
      while (text[++position] >= '0' && text[position] <= '9') {
      }
    }
  } else {
    while (text[position] >= 'a' && text[position] <= 'z') position++;
  }
  return node;
}

static void parse_children(struct node *parent) {
  struct node *last = NULL;
  do {
    position++;
    struct node *child = parse_node();
    if (text[position] == ':') {
      position++;
      child->first = parse_node();
    }
    if (last) last->next = child;
    else parent->first = child;
    last = child;
  } while (text[position] == ',');
  position++;
}

static uint32_t weigh(const struct node *node) {
  uint32_t sum = 0;
  for (; node; node = node->next) {
    sum += (uint32_t)(node->kind + node->value + node->length) + weigh(node->first);
  }
  return sum;
}

static void release(struct node *node) {
  while (node) {
    struct node *next = node->next;
    release(node->first);
    free(node);
    node = next;
  }
}

uint32_t kernel_jsontree(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t round = 0; round < n; round++) {
    position = 0;
    struct node *node = parse_node();
    sum += weigh(node);
    release(node);
  }
  return sum;
}

static uint8_t out[256];
static int used;
static const char *const names[] = {"temperature", "humidity", "pressure", "uptime"};

static void put_byte(int value) { out[used++] = (uint8_t)value; }

static void put_name(const char *name) {
  put_byte(used == 1 ? ' ' : ',');
  put_byte('"');
  while (*name) put_byte(*name++);
  put_byte('"');
  put_byte(':');
}

static void put_number(int value) {
  if (value < 0) {
    put_byte('-');
    value = -value;
  }
  int power = 1;
  while (value / power >= 10) power *= 10;
  for (; power > 0; power /= 10) put_byte('0' + value / power % 10);
}

uint32_t kernel_telemetry(uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t round = 0; round < n; round++) {
    used = 0;
    put_byte('{');
    for (int i = 0; i < 4; i++) {
      put_name(names[i]);
      put_number((int)(round & 1023) * (i * 37 - 20));
    }
    put_byte('}');
    sum += (uint32_t)(used + out[used - 3]);
  }
  return sum;
}

static int window[9], sorted[9], oldest;
static double average;

static int step(int sample) {
  window[oldest] = sample;
  oldest = oldest == 8 ? 0 : oldest + 1;
  for (int i = 0; i < 9; i++) {
    const int value = window[i];
    int at = i;
    for (; at > 0 && sorted[at - 1] > value; at--) sorted[at] = sorted[at - 1];
    sorted[at] = value;
  }
  average += ((double)sorted[4] - average) * 0.125;
  return (int)average;
}

uint32_t kernel_median(uint32_t n) {
  uint32_t sum = 0;
  uint32_t noise = 12345;
  for (uint32_t round = 0; round < n; round++) {
    noise = noise * 1103515245u + 12345u;
    sum += (uint32_t)step((int)(noise >> 16 & 1023));
  }
  return sum;
}
