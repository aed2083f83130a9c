/* usb_control.c - endpoint 0: standard requests (USB 2.0 chapter 9), the CCID class's three, the CDC-ACM class's three. All in the interrupt.
 *
 *   SETUP ─▶ IN data … ─▶ OUT status          what is sent is never longer than wLength; the status is on offer throughout
 *         ─▶ OUT data  ─▶ IN status
 *         ─▶ IN status
 *         ─▶ STALL                            until the next SETUP
 */
#include "gen/wire_gen.h"
#include "hal/hal.h"
#include "usb.h"

typedef struct {
  uint8_t bmRequestType, bRequest;
  uint16_t wValue, wIndex, wLength;
} setup_t;

enum { DEVICE_TO_HOST = 0x80, TYPE_CLASS = 0x20, TO_DEVICE = 0, TO_INTERFACE = 1, TO_ENDPOINT = 2 };
enum { GET_STATUS = 0, CLEAR_FEATURE = 1, SET_FEATURE = 3, SET_ADDRESS = 5, GET_DESCRIPTOR = 6, GET_CONFIGURATION = 8, SET_CONFIGURATION = 9, GET_INTERFACE = 10, SET_INTERFACE = 11 };
enum { DESCRIPTOR_DEVICE = 1, DESCRIPTOR_CONFIGURATION = 2, DESCRIPTOR_STRING = 3 };
enum { CCID_ABORT = 1, CCID_GET_CLOCK_FREQUENCIES = 2, CCID_GET_DATA_RATES = 3 };
enum { CDC_SET_LINE_CODING = 0x20, CDC_GET_LINE_CODING = 0x21, CDC_SET_CONTROL_LINE_STATE = 0x22 };
enum { EP0_IN = 0, EP0_OUT = 1, INTERFACES = 3 };

static enum { CONTROL_IDLE, CONTROL_DATA_IN, CONTROL_DATA_OUT, CONTROL_STATUS_IN } s_stage;
static const uint8_t *s_data;
static size_t s_left;
static bool s_short_end; /* the last full packet is not the host's last: a zero-length one must follow */
static uint8_t s_toggle;
static uint8_t s_new_address;
static uint8_t s_small[4];
static uint8_t s_serial[2 + 32]; /* string descriptor: the flash's unique id in hexadecimal */
static uint8_t s_line_coding[7] = {0x00, 0xc2, 0x01, 0x00, 0, 0, 8}; /* 115 200 8N1; kept, without meaning: there is no line */
static volatile bool s_dtr, s_abort;
static volatile uint8_t s_abort_slot, s_abort_sequence;

void control_start(void) {
  uint8_t id[8];
  hal_unique_id(id);
  s_serial[0] = sizeof s_serial;
  s_serial[1] = DESCRIPTOR_STRING;
  for (size_t i = 0; i < 16; i++) {
    const uint8_t nibble = i % 2 == 0 ? id[i / 2] >> 4 : id[i / 2] & 15u;
    s_serial[2 + 2 * i] = (uint8_t)(nibble < 10 ? '0' + nibble : 'A' + nibble - 10);
  }
}

void control_reset(void) {
  s_stage = CONTROL_IDLE;
  s_new_address = 0;
  s_dtr = s_abort = false;
  buffer_take_back(EP0_IN);
  buffer_take_back(EP0_OUT);
}

static void send(size_t length) {
  buffer_arm(EP0_IN, 0, BUFFER_FULL | BUFFER_LAST | (s_toggle != 0 ? BUFFER_DATA1 : 0u) | (uint32_t)length);
  s_toggle ^= 1u;
}

static void send_next(void) {
  const size_t n = s_left < PACKET ? s_left : PACKET;
  dpram_write(EP0_BUFFER, s_data, n);
  s_data += n;
  s_left -= n;
  if (n < PACKET) s_short_end = false;
  send(n);
}

static void status_in(void) {
  s_stage = CONTROL_STATUS_IN;
  s_toggle = 1;
  send(0);
}

static void answer(const uint8_t *data, size_t length, const setup_t *setup) {
#ifdef NEGATIVE_EP0_NOT_CLAMPED
  const size_t n = length;
#else
  const size_t n = length < setup->wLength ? length : setup->wLength;
#endif
  s_data = data;
  s_left = n;
  s_short_end = n < setup->wLength && n % PACKET == 0;
  s_stage = CONTROL_DATA_IN;
  s_toggle = 1;
  /* The status stage is on offer from the beginning: a host may end the data stage early (8.5.3.1), or its last ACK may get lost, so that
   * the end of the data stage is never seen here. */
  buffer_arm(EP0_OUT, 0, BUFFER_LAST | BUFFER_DATA1); /* zero bytes: the shared buffer is not written */
  send_next();
}

static void stall(void) {
#ifndef NEGATIVE_NO_STALL
  USB_EP_STALL_ARM = BIT(EP0_IN) | BIT(EP0_OUT); /* endpoint 0 needs both; the next SETUP clears them */
  EP_BUFFER_CONTROL(EP0_IN) = BUFFER_STALL;
  EP_BUFFER_CONTROL(EP0_OUT) = BUFFER_STALL;
#endif
  s_stage = CONTROL_IDLE;
}

/* ---- requests: true = answered ------------------------------------------------------------------------------------------- */

static bool get_descriptor(const setup_t *s) {
  static const struct { const uint8_t *bytes; size_t length; } k_strings[] = {
      {WIRE_STRING_0, sizeof WIRE_STRING_0},
      [WIRE_STRING_INDEX_VENDOR] = {WIRE_STRING_1, sizeof WIRE_STRING_1},
      [WIRE_STRING_INDEX_PRODUCT] = {WIRE_STRING_2, sizeof WIRE_STRING_2},
      [WIRE_STRING_INDEX_SERIAL] = {s_serial, sizeof s_serial},
      [WIRE_STRING_INDEX_CCID] = {WIRE_STRING_4, sizeof WIRE_STRING_4},
      [WIRE_STRING_INDEX_LINK] = {WIRE_STRING_5, sizeof WIRE_STRING_5},
  };
  const uint8_t index = (uint8_t)s->wValue;
  switch (s->wValue >> 8) {
    case DESCRIPTOR_DEVICE:
      answer(WIRE_DEVICE_DESCRIPTOR, sizeof WIRE_DEVICE_DESCRIPTOR, s);
      return true;
    case DESCRIPTOR_CONFIGURATION:
      if (index != 0) return false;
#ifdef NEGATIVE_DESCRIPTOR_LIES
      static uint8_t s_lie[sizeof WIRE_CONFIGURATION_DESCRIPTOR];
      for (size_t i = 0; i < sizeof s_lie; i++) s_lie[i] = WIRE_CONFIGURATION_DESCRIPTOR[i];
      s_lie[9 + 9 + 28]--; /* behind the configuration's and the interface's head: byte 28 of the class descriptor */
      answer(s_lie, sizeof s_lie, s);
      return true;
#endif
      answer(WIRE_CONFIGURATION_DESCRIPTOR, sizeof WIRE_CONFIGURATION_DESCRIPTOR, s);
      return true;
    case DESCRIPTOR_STRING:
      if (index >= sizeof k_strings / sizeof *k_strings || k_strings[index].bytes == NULL) return false;
      answer(k_strings[index].bytes, k_strings[index].length, s);
      return true;
    default:
      return false; /* a device qualifier among them: full speed only */
  }
}

static void configure(uint8_t configuration) {
  endpoints_close();
  g_usb_configuration = configuration;
  g_usb_epoch++;
  if (configuration != 0) endpoints_open();
}

static bool device_request(const setup_t *s) {
  switch (s->bRequest) {
    case GET_STATUS:
#ifdef NEGATIVE_STATUS_STALLED
      return false;
#endif
      s_small[0] = s_small[1] = 0; /* bus-powered, no remote wake-up */
      answer(s_small, 2, s);
      return true;
    case SET_ADDRESS:
      if (s->wValue > 127) return false;
      s_new_address = (uint8_t)s->wValue; /* takes effect after the status stage (9.4.6) */
      status_in();
      return true;
    case GET_DESCRIPTOR:
      return get_descriptor(s);
    case GET_CONFIGURATION:
      s_small[0] = g_usb_configuration;
      answer(s_small, 1, s);
      return true;
    case SET_CONFIGURATION:
      if (s->wValue > 1) return false;
      configure((uint8_t)s->wValue);
      status_in();
      return true;
    default:
      return false;
  }
}

static bool interface_request(const setup_t *s) {
  if (g_usb_configuration == 0 || s->wIndex >= INTERFACES) return false;
  switch (s->bRequest) {
    case GET_STATUS:
      s_small[0] = s_small[1] = 0;
      answer(s_small, 2, s);
      return true;
    case GET_INTERFACE:
      s_small[0] = 0;
      answer(s_small, 1, s);
      return true;
    case SET_INTERFACE: /* only alternate setting 0; its endpoints begin anew (9.1.1.5) */
      if (s->wValue != 0) return false;
      for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
        const uint16_t owner = i <= EP_CCID_NOTIFY ? WIRE_INTERFACE_CCID : i == EP_CDC_NOTIFY ? WIRE_INTERFACE_CDC_CONTROL : WIRE_INTERFACE_CDC_DATA;
        if (owner == s->wIndex) endpoint_clear(&g_endpoint[i]);
      }
      status_in();
      return true;
    default:
      return false;
  }
}

static bool endpoint_request(const setup_t *s) {
  endpoint_t *e = endpoint_of((uint8_t)s->wIndex);
  const bool zero = (s->wIndex & 0x7fu) == 0; /* endpoint 0: never halted for longer than a request */
  if (!zero && (e == NULL || g_usb_configuration == 0)) return false;
  switch (s->bRequest) {
    case GET_STATUS:
      s_small[0] = !zero && e->halted ? 1 : 0;
      s_small[1] = 0;
      answer(s_small, 2, s);
      return true;
    case CLEAR_FEATURE:
    case SET_FEATURE:
      if (s->wValue != 0) return false; /* ENDPOINT_HALT is the only one */
      if (!zero && s->bRequest == SET_FEATURE) endpoint_halt(e);
      if (!zero && s->bRequest == CLEAR_FEATURE) endpoint_clear(e);
      status_in();
      return true;
    default:
      return false;
  }
}

/* CCID 1.1 §5.3. */
static bool ccid_request(const setup_t *s) {
  switch (s->bRequest) {
    case CCID_ABORT:
      if ((s->bmRequestType & DEVICE_TO_HOST) != 0 || (s->wValue & 0xffu) != 0) return false; /* one slot: 0 */
      s_abort_slot = (uint8_t)s->wValue;
      s_abort_sequence = (uint8_t)(s->wValue >> 8);
      s_abort = true;
      status_in();
      return true;
    case CCID_GET_CLOCK_FREQUENCIES:
      s_small[0] = (uint8_t)WIRE_CLOCK_KHZ;
      s_small[1] = (uint8_t)(WIRE_CLOCK_KHZ >> 8);
      s_small[2] = s_small[3] = 0;
      answer(s_small, 4, s);
      return true;
    case CCID_GET_DATA_RATES: /* little-endian on both sides */
      answer((const uint8_t *)WIRE_DATA_RATES, sizeof WIRE_DATA_RATES, s);
      return true;
    default:
      return false;
  }
}

/* PSTN120 §6.3. RTS is not looked at: transmission is never gated on it. */
static bool cdc_request(const setup_t *s) {
  switch (s->bRequest) {
    case CDC_SET_LINE_CODING:
      if (s->wLength != sizeof s_line_coding) return false;
      s_stage = CONTROL_DATA_OUT;
      buffer_arm(EP0_OUT, 0, BUFFER_LAST | BUFFER_DATA1 | PACKET);
      return true;
    case CDC_GET_LINE_CODING:
      answer(s_line_coding, sizeof s_line_coding, s);
      return true;
    case CDC_SET_CONTROL_LINE_STATE:
      s_dtr = (s->wValue & 1u) != 0;
      status_in();
      return true;
    default:
      return false;
  }
}

static bool class_request(const setup_t *s) {
  if (g_usb_configuration == 0) return false;
  if (s->wIndex == WIRE_INTERFACE_CCID) return ccid_request(s);
  if (s->wIndex == WIRE_INTERFACE_CDC_CONTROL) return cdc_request(s);
  return false;
}

/* The direction a request must have is part of its name: one that has the other is unknown. */
static bool direction_good(const setup_t *s) {
  const bool in = (s->bmRequestType & DEVICE_TO_HOST) != 0;
  if ((s->bmRequestType & 0x60u) == TYPE_CLASS) {
    const bool wants_in = s->wIndex == WIRE_INTERFACE_CCID ? s->bRequest != CCID_ABORT : s->bRequest == CDC_GET_LINE_CODING;
    return in == wants_in && (in || s->bRequest == CDC_SET_LINE_CODING || s->wLength == 0);
  }
  const bool wants_in = s->bRequest == GET_STATUS || s->bRequest == GET_DESCRIPTOR || s->bRequest == GET_CONFIGURATION || s->bRequest == GET_INTERFACE;
  return in == wants_in && (in || s->wLength == 0);
}

void control_setup(void) {
  const uint32_t low = USB_SETUP_LOW, high = USB_SETUP_HIGH;
  const setup_t setup = {(uint8_t)low, (uint8_t)(low >> 8), (uint16_t)(low >> 16), (uint16_t)high, (uint16_t)(high >> 16)};
  /* A new SETUP ends whatever stage the last request was in (8.5.3). */
  s_stage = CONTROL_IDLE;
  s_new_address = 0;
  buffer_take_back(EP0_IN);
  buffer_take_back(EP0_OUT);
  bool done = false;
  if (direction_good(&setup)) {
    switch (setup.bmRequestType & 0x7fu) {
      case TO_DEVICE: done = device_request(&setup); break;
      case TO_INTERFACE: done = interface_request(&setup); break;
      case TO_ENDPOINT: done = endpoint_request(&setup); break;
      case TYPE_CLASS | TO_INTERFACE: done = class_request(&setup); break;
      default: break;
    }
  }
  if (!done) stall();
}

void control_done(uint32_t index) {
  if (index == EP0_IN && s_stage == CONTROL_DATA_IN) {
    if (s_left > 0 || s_short_end) send_next();
  } else if (index == EP0_IN && s_stage == CONTROL_STATUS_IN) {
    if (s_new_address != 0) USB_ADDR_ENDP = s_new_address;
    s_new_address = 0;
    s_stage = CONTROL_IDLE;
  } else if (index == EP0_OUT && s_stage == CONTROL_DATA_OUT) {
    if ((EP_BUFFER_CONTROL(EP0_OUT) & BUFFER_LENGTH) != sizeof s_line_coding) {
      stall();
      return;
    }
    dpram_read(EP0_BUFFER, s_line_coding, sizeof s_line_coding);
    status_in();
  } else if (index == EP0_OUT && s_stage == CONTROL_DATA_IN) {
    buffer_take_back(EP0_IN);
    s_stage = CONTROL_IDLE;
  }
}

bool hal_cdc_dtr(void) { return s_dtr; }

bool hal_usb_take_abort(uint8_t *slot, uint8_t *sequence) {
  const uint32_t primask = irq_save();
  const bool abort = s_abort;
  *slot = s_abort_slot;
  *sequence = s_abort_sequence;
  s_abort = false;
  irq_restore(primask);
  return abort;
}
