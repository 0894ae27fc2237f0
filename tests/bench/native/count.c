/* Counts the instructions that qemu's user mode runs: a plugin of the TCG interface, version 1.
 * Debian ships qemu without the header, so the few declarations that are needed stand here. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
typedef void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*ended)(qemu_plugin_id_t, void *);

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(
    struct qemu_plugin_tb *, int operation, void *counter, uint64_t value);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, ended, void *);

enum { ADD_U64 = 0 };

int qemu_plugin_version = 1;
static uint64_t count;
static char file[512];

static void on_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &count, qemu_plugin_tb_n_insns(block));
}

static void on_ended(qemu_plugin_id_t id, void *unused) {
  (void)id;
  (void)unused;
  FILE *out = fopen(file, "w");
  if (!out) return;
  fprintf(out, "%" PRIu64 "\n", count);
  fclose(out);
}

/* The only argument is `out=FILE`. */
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
  (void)info;
  if (argc != 1 || sscanf(argv[0], "out=%511s", file) != 1) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
  qemu_plugin_register_atexit_cb(id, on_ended, NULL);
  return 0;
}
