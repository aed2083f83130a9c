/* keypad.h - from the raw matrix to key presses. Digits pass through here, so what it remembers is wiped by keypad_forget(). */
#ifndef KEYPAD_H
#define KEYPAD_H
#include <stdbool.h>
#include <stdint.h>
#include "gen/board_gen.h" /* KEY_*; a digit's code is its ASCII */

#define KEYPAD_NONE 0u

typedef enum { KEYPAD_PRESSED, KEYPAD_DEADLINE, KEYPAD_STOPPED /* app_wait said stop */ } keypad_wait_t;

/* Forgets everything; a key that is down counts only after it was let go. Before and after every dialog. */
void keypad_forget(void);
/* Waits for a key press, in app_wait. *key is written only by KEYPAD_PRESSED. The sampling grid is fixed: when a key is seen does not
 * depend on which one it is. */
keypad_wait_t keypad_wait(uint64_t deadline, uint8_t *key);
#endif
