#include "link/link.h"
bool link_session_open(void);
void link_reset(void) {}
void link_receive(const uint8_t *b, size_t l) { (void)b; (void)l; }
bool link_message_ready(size_t *l) { *l = 0; return false; }
void link_answer(size_t l) { (void)l; }
size_t link_transmit(uint8_t *b, size_t c) { (void)b; (void)c; return 0; }
uint64_t link_next_deadline(void) { return UINT64_MAX; }
bool link_holds_buffer(void) { return false; }
void link_time_extension(const uint8_t a[10]) { (void)a; }
bool link_session_open(void) { return false; }
