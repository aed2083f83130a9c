/* ppdu.c - see ppdu.h. The structures are those of part 10 §2.5 (PIN_VERIFY_STRUCTURE, PIN_MODIFY_STRUCTURE): CCID's with bTimeOut2 and ulDataLength
 * more, and with all three message indexes. */
#include "ccid/ppdu.h"
#include "gen/product_gen.h"
#include "gen/wire_gen.h"
#include "pinpad/template.h"

#define AT_DATA 5u
#define VERIFY_FIXED 19u /* before abData: bTimeOut bTimeOut2 … bTeoPrologue ulDataLength */
#define MODIFY_FIXED 24u
#define ENTRY_CONDITIONS (CONDITION_MAX | CONDITION_KEY | CONDITION_TIMEOUT)
#define PPDU_BY_CONTROL_AND_TRANSMIT 3u
#define APDU_DATA_MAX 65535u

typedef struct {
  uint8_t *bytes;
  size_t length;
} writer_t;

static void put(writer_t *w, unsigned byte) { w->bytes[w->length++] = (uint8_t)byte; }
static void put_all(writer_t *w, const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) put(w, bytes[i]);
}
static ppdu_t status(writer_t *w, unsigned sw, size_t *length) {
  put(w, sw >> 8);
  put(w, sw & 0xffu);
  *length = w->length;
  return PPDU_ANSWERED;
}

/* Little-endian values of 1, 2 or 4 bytes (part 10 §2.6.14). */
static void property(writer_t *w, unsigned tag, unsigned size, uint32_t value) {
  put(w, tag);
  put(w, size);
  for (unsigned i = 0; i < size; i++) put(w, value >> 8 * i & 0xffu);
}

static void tlv_properties(writer_t *w) {
  static const char k_firmware[] = PRODUCT_VERSION;
  _Static_assert(4 + 3 + 3 + 3 + 3 + 2 + sizeof k_firmware + 3 + 6 + 4 + 4 + 2 <= PPDU_ANSWER_MAX, "the properties and SW1SW2");
  property(w, 0x01, 2, WIRE_LCD_LAYOUT);
  property(w, 0x02, 1, ENTRY_CONDITIONS);
  property(w, 0x03, 1, 0); /* bTimeOut2: one time for every key */
  property(w, 0x06, 1, 1);
  property(w, 0x07, 1, PIN_MAX);
  put(w, 0x08); /* sFirmwareID */
  put(w, sizeof k_firmware - 1u);
  for (size_t i = 0; i < sizeof k_firmware - 1u; i++) put(w, (uint8_t)k_firmware[i]);
  property(w, 0x09, 1, PPDU_BY_CONTROL_AND_TRANSMIT);
  property(w, 0x0a, 4, APDU_DATA_MAX);
  property(w, 0x0b, 2, WIRE_ID_VENDOR);
  property(w, 0x0c, 2, WIRE_ID_PRODUCT);
}

static bool length_agrees(const uint8_t *data, size_t length, size_t fixed) {
  if (length < fixed) return false;
  const uint8_t *said = data + fixed - 4u; /* ulDataLength */
  return (said[0] | (size_t)said[1] << 8) == length - fixed && said[2] == 0 && said[3] == 0;
}

static void verify_block(writer_t *w, const uint8_t *d, size_t length) {
  put(w, 0);
  put(w, d[0]);                 /* bTimeOut; bTimeOut2 is not CCID's */
  put_all(w, d + 2, 10);        /* bmFormatString … bMsgIndex */
  put_all(w, d + 12, 3);        /* bTeoPrologue */
  put_all(w, d + VERIFY_FIXED, length - VERIFY_FIXED);
}

/* bMsgIndex2 and bMsgIndex3 stand in CCID's block only as far as bNumberMessage asks for them (CCID 1.1 §6.1.12). */
static void modify_block(writer_t *w, const uint8_t *d, size_t length) {
  put(w, 1);
  put(w, d[0]);
  put_all(w, d + 2, 13);        /* bmFormatString … bMsgIndex1 */
  const uint8_t messages = d[11];
  if (messages != 0) put(w, d[15]);
  if (messages == 3) put(w, d[16]);
  put_all(w, d + 17, 3);        /* bTeoPrologue */
  put_all(w, d + MODIFY_FIXED, length - MODIFY_FIXED);
}

ppdu_t ppdu_take(const uint8_t *apdu, size_t length, uint8_t *out, size_t *out_length) {
  if (length < 4 || apdu[0] != 0xff || apdu[1] != 0xc2 || apdu[2] != 0x01) return PPDU_NONE;
  writer_t w = {out, 0};
  const uint8_t feature = apdu[3];
  const bool pin = feature == PPDU_VERIFY_PIN_DIRECT || feature == PPDU_MODIFY_PIN_DIRECT;
  if (pin) {
    /* Case 3 or 4 short: the structures and a short command fit; anything longer is no such structure. */
    const size_t data = length > AT_DATA ? apdu[4] : 0;
    if (data == 0 || (length != AT_DATA + data && length != AT_DATA + data + 1u)) return status(&w, PPDU_SW_INVALID_PARAMETER, out_length);
    const size_t fixed = feature == PPDU_VERIFY_PIN_DIRECT ? VERIFY_FIXED : MODIFY_FIXED;
    if (!length_agrees(apdu + AT_DATA, data, fixed)) return status(&w, PPDU_SW_INVALID_PARAMETER, out_length);
    if (feature == PPDU_VERIFY_PIN_DIRECT) {
      verify_block(&w, apdu + AT_DATA, data);
    } else {
      modify_block(&w, apdu + AT_DATA, data);
    }
    *out_length = w.length;
    return PPDU_PIN;
  }
  switch (feature) {
    case PPDU_GET_FEATURES:
      put(&w, PPDU_VERIFY_PIN_DIRECT);
      put(&w, PPDU_MODIFY_PIN_DIRECT);
      put(&w, PPDU_IFD_PIN_PROPERTIES);
      put(&w, PPDU_GET_TLV_PROPERTIES);
      break;
    case PPDU_IFD_PIN_PROPERTIES: /* wLcdLayout, bEntryValidationCondition, bTimeOut2 (§2.5.5) */
      put(&w, WIRE_LCD_LAYOUT & 0xffu);
      put(&w, WIRE_LCD_LAYOUT >> 8);
      put(&w, ENTRY_CONDITIONS);
      put(&w, 0);
      break;
    case PPDU_GET_TLV_PROPERTIES: tlv_properties(&w); break;
    default: return status(&w, 0x6a86, out_length); /* a feature this reader does not have */
  }
  return status(&w, 0x9000, out_length);
}
