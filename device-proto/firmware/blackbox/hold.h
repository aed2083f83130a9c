/* hold.h - clear and cancel held for 5 s at rest: the reader asks whether to erase the black box; OK does it. */
#ifndef BLACKBOX_HOLD_H
#define BLACKBOX_HOLD_H
#include <stdint.h>

/* Once per turn of the loop when no command runs. Returns when it wants the next turn. */
uint64_t hold_step(uint64_t now);
/* A command is about to run: its dialogs have the display. A question that stands is taken back. */
void hold_stop(void);
#endif
