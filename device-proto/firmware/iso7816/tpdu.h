/* tpdu.h - a powered card for a host that negotiates by itself (CCID's TPDU level): it sees the ATR, asks for a PPS or not, and names the protocol. */
#ifndef TPDU_H
#define TPDU_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "iso7816/card.h"

/* Cold reset, ATR, nothing more. voltage_class as in card_power_on(). */
card_result_t tpdu_power_on(uint8_t voltage_class);
/* A PPS for this protocol and rate, before anything else was exchanged. g_card.fidi says which rate the card took. CARD_PROTOCOL: it is too late. */
card_result_t tpdu_pps(uint8_t protocol, uint8_t fidi);
/* The protocol is this one from now on; T=1 starts with our IFSD. Asking again for what is in use changes nothing. CARD_PROTOCOL: the card does not
 * offer it, or another one is in use. */
card_result_t tpdu_start(uint8_t protocol);
/* The protocol that the card speaks if nobody asks for another. */
uint8_t tpdu_first(void);
bool tpdu_started(void);
/* One T=0 TPDU: CLA INS P1 P2, P3 and data as far as given; an Le behind the data must have been dropped. */
card_result_t tpdu_t0(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length);
#endif
