/* policy.h - a host asks to switch a policy off; a person decides (service messages 03 and 04). Nothing waits here: the loop calls policy_step(). */
#ifndef POLICY_H
#define POLICY_H
#include <stdint.h>

/* At start. */
void policy_start(void);
/* Asks for one policy (POLICY_*). SERVICE_STATUS_OK: the display will ask, and policy_request() tells how it ends. REFUSED: it is not on, or three
 * requests came since power-up. BUSY: the card is on, or the display says something else. */
uint8_t policy_ask(uint8_t policy);
uint8_t policy_request(void); /* POLICY_REQUEST_*: of the last request since reset */
uint8_t policy_left(void);    /* requests until the next power-up */
/* A command comes, or the host that asked is gone: the answer is no. */
void policy_stop(void);
/* Once per turn of the loop while no command runs. Returns when it wants the next turn. */
uint64_t policy_step(uint64_t now);
#endif
