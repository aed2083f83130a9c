/* Nobody speaks pcscd's framing here: what app/, ccid/ and link/ ask of pcscd/ and of the TPDU level. */
#include "iso7816/tpdu.h"
#include "pcscd/pcscd.h"

void pcscd_reset(void) {}
bool pcscd_receive(uint8_t byte) {
  (void)byte;
  return false;
}
bool pcscd_chosen(void) { return false; }
bool pcscd_alive(void) { return false; }
bool pcscd_in_frame(void) { return false; }
bool pcscd_run(void) { return false; }
size_t pcscd_transmit(uint8_t *bytes, size_t capacity) {
  (void)bytes;
  (void)capacity;
  return 0;
}
uint64_t pcscd_step(bool *frame) {
  *frame = false;
  return UINT64_MAX;
}
void pcscd_time_extension(void) {}
card_result_t tpdu_power_on(uint8_t voltage_class) {
  (void)voltage_class;
  return CARD_MUTE;
}
