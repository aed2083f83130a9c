/* ppdu.h - pseudo APDUs of PC/SC part 10: FF C2 01 <feature> Lc …, for hosts whose driver gives no other way to the pad (Windows' own). They are the
 * reader's and never reach a card. No secret here. */
#ifndef PPDU_H
#define PPDU_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PPDU_ANSWER_MAX 64u
#define PPDU_BLOCK_MAX 300u

enum { PPDU_GET_FEATURES = 0x00, PPDU_VERIFY_PIN_DIRECT = 0x06, PPDU_MODIFY_PIN_DIRECT = 0x07, PPDU_IFD_PIN_PROPERTIES = 0x0a, PPDU_GET_TLV_PROPERTIES = 0x12 };
/* SW1SW2 of part 10 §2.5: what the pad says for itself; all others are the card's. */
enum { PPDU_SW_TIMEOUT = 0x6400, PPDU_SW_CANCELLED = 0x6401, PPDU_SW_INVALID_PARAMETER = 0x6b80 };

typedef enum { PPDU_NONE, PPDU_ANSWERED, PPDU_PIN } ppdu_t;

/* PPDU_NONE: an APDU for the card. PPDU_ANSWERED: `out` holds data and SW1SW2. PPDU_PIN: `out` holds abData of PC_to_RDR_Secure that says the same,
 * for pinpad_run(). `out` has room for PPDU_BLOCK_MAX bytes. */
ppdu_t ppdu_take(const uint8_t *apdu, size_t length, uint8_t *out, size_t *out_length);
#endif
