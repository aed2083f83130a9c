/* line.h - what the files of iso7816/ share: characters with deadlines, times in etu, and the protocols' entry points. */
#ifndef ISO7816_LINE_H
#define ISO7816_LINE_H
#include "card.h"
#include "hal/hal.h"
#include "iso7816/atr.h"

/* One etu of TA1's F/D in ns at our clock; 0 = reserved or not offered by this reader (ISO 7816-3 tables 7 and 8). */
uint32_t fidi_etu_ns(uint8_t fidi);
bool fidi_offered(uint8_t fidi);
void fidi_apply(uint8_t fidi);             /* hal_line_rate + g_card.fidi */
uint64_t etu_us(uint32_t etu);             /* whole us, rounded up, at the rate in force */

/* Waits at least until then. CARD_OK, or why not: CARD_ABSENT, CARD_OVERCURRENT, CARD_ABORTED. */
card_result_t line_wait(uint64_t until_us);
/* Next character. CARD_MUTE after the deadline; CARD_PARITY: `byte` is what was understood. */
card_result_t line_get(uint8_t *byte, uint64_t deadline_us);
card_result_t line_put(const hal_span_t *spans, size_t count, uint8_t turn_etu);
/* Why an app_wait() said stop. */
card_result_t line_stopped(void);

/* How long one exchange may wait in all. Characters that bring something do not count: patience_for() adds their own line time. */
#define PATIENCE_US 600000000u
void patience_begin(uint64_t us);
void patience_for(size_t characters);
bool patience_over(void);
uint64_t patience_until(uint64_t deadline_us); /* the deadline, or the end of patience when that is earlier */

/* How long sending may go on after line_put() returned: four characters in the FIFO and one on the line, each sent up to four times. */
uint64_t sending_tail_us(void);

/* For a card that nothing brings back in step: warm reset, and off (11.6.3.2, rule 6.4). */
void card_give_up(void);

/* A character after the previous one, at the latest: 480 etu of the initial rate would do for ATR and PPS, 9600 is allowed (8.1, 9.3). */
#define INITIAL_WAITING_ETU 9600u
/* Time the loop may take to see a character that is there; added to every upper bound. */
#define LOOP_SLACK_US 2000u

card_result_t pps_exchange(uint8_t protocol, uint8_t fidi);

card_result_t t1_start(void);
card_result_t t1_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length);
card_result_t t0_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length, uint8_t wi);

/* tpdu.c: a TPDU over T=0; the ATR of a cold reset and nothing after it, WI kept. */
card_result_t t0_tpdu(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length, uint8_t wi);
card_result_t card_power_on_atr(uint8_t voltage_class, atr_t *atr);
#endif
