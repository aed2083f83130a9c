#include "guard/guard.h"
void guard_reset(void) {}
guard_verdict_t guard_before(const uint8_t *c, size_t l) { (void)c; (void)l; return GUARD_PASS; }
void guard_after(const uint8_t *c, size_t l, const uint8_t *a, size_t al) { (void)c; (void)l; (void)a; (void)al; }
guard_secret_t guard_selected_secret(void) { return SECRET_UNKNOWN; }
int guard_tries_left(void) { return -1; }
