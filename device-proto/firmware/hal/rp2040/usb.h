/* usb.h - the RP2040's USB device controller (4.1): registers, and what usb.c, usb_endpoint.c and usb_control.c share. */
#ifndef USB_H
#define USB_H
#include "chip.h"

#define USB_DPRAM 0x50100000u
#define DPRAM_SIZE 4096u
#define USB_SETUP_LOW REG(USB_DPRAM)
#define USB_SETUP_HIGH REG(USB_DPRAM + 4u)
/* An endpoint's index is 2 * number + (OUT ? 1 : 0): its bit in BUFF_STATUS, its word in the two tables below. */
#define EP_CONTROL(index) REG(USB_DPRAM + 4u * (index))
#define EP_BUFFER_CONTROL(index) REG(USB_DPRAM + 0x80u + 4u * (index))
/* Each half's sixteen bits by themselves: the controller may be writing the other half's. The RAM has byte lanes. */
#define EP_HALF_CONTROL(index, half) (*(volatile uint16_t *)(uintptr_t)(USB_DPRAM + 0x80u + 4u * (index) + 2u * (half)))
#define EP_ENABLE BIT(31)
#define EP_DOUBLE_BUFFERED BIT(30)
#define EP_INTERRUPT_EACH BIT(29)
#define EP_TYPE(type) ((uint32_t)(type) << 26)
#define BUFFER_FULL BIT(15)
#define BUFFER_LAST BIT(14)
#define BUFFER_DATA1 BIT(13)
#define BUFFER_RESET_SELECT BIT(12) /* of the lower half: the next packet is half 0's */
#define BUFFER_STALL BIT(11)        /* of the lower half, for both */
#define BUFFER_AVAILABLE BIT(10)
#define BUFFER_LENGTH 0x3ffu
#define EP0_BUFFER 0x100u
#define DATA_BUFFERS 0x180u

#define USB_ADDR_ENDP REG(0x50110000)
#define USB_MAIN_CTRL REG(0x50110040)
#define USB_SOF_RD REG(0x50110048)
#define USB_SIE_CTRL REG(0x5011004c)
#define SIE_CTRL_EP0_INT_1BUF BIT(29)
#define SIE_CTRL_PULLUP BIT(16)
#define USB_SIE_STATUS REG(0x50110050)
#define SIE_STATUS_BUS_RESET BIT(19)
#define SIE_STATUS_SETUP BIT(17)
#define SIE_STATUS_RESUME BIT(11)
#define SIE_STATUS_SUSPENDED BIT(4)
#define SIE_STATUS_LINE_STATE (3u << 2)
#define USB_BUFF_STATUS REG(0x50110058)
#define USB_EP_ABORT REG(0x50110060)
#define USB_EP_ABORT_DONE REG(0x50110064)
#define USB_EP_STALL_ARM REG(0x50110068)
#define USB_MUXING REG(0x50110074)
#define USB_MUXING_TO_PHY BIT(0)
#define USB_MUXING_TO_DIGITAL_PAD BIT(2)
#define USB_MUXING_SOFTCON BIT(3)
#define USB_PWR REG(0x50110078)
#define USB_PWR_VBUS_DETECT BIT(2)
#define USB_PWR_VBUS_DETECT_OVERRIDE BIT(3)
#define USB_PHY_DIRECT REG(0x5011007c)
#define USB_PHY_DIRECT_OVERRIDE REG(0x50110080)
#define USB_INTE REG(0x50110090)
#define USB_INTS REG(0x50110098)
#define USB_INT_BUFF_STATUS BIT(4)
#define USB_INT_BUS_RESET BIT(12)
#define USB_INT_SUSPEND BIT(14)
#define USB_INT_RESUME BIT(15)
#define USB_INT_SETUP BIT(16)
#define USB_INT_SOF BIT(17)

#define PACKET 64u
#define EP_COUNT 32u

enum { EP_BULK = 2, EP_INTERRUPT = 3 };

/* One data endpoint: the halves of its buffer as a ring of one (interrupt) or two (bulk). Everything is touched in the USB interrupt or with interrupts
 * off.
 *
 *   IN    │ armed: on the wire in this order │ held back until the next frame (E15) │ free            │
 *   OUT   │ received, not taken yet          │ armed                                │ (halted: free)  │
 *           ^ first                                                                                   */
typedef struct {
  uint8_t index;
  uint8_t type;
  uint8_t halves;   /* 1 or 2 */
  uint16_t buffer;  /* offset in DPRAM; the second half lies PACKET behind it */
  uint8_t first;    /* the oldest half in use */
  uint8_t armed;    /* how many are the controller's */
  uint8_t waiting;  /* IN: filled and held back. OUT: received and not taken */
  uint8_t toggle;   /* PID of the packet that is armed next: 0 DATA0, 1 DATA1 */
  uint8_t length[2];
  bool selected;    /* a packet went since the endpoint was opened: the controller's buffer select is ours */
  bool halted;
} endpoint_t;

enum { EP_CCID_OUT, EP_CCID_IN, EP_CCID_NOTIFY, EP_CDC_OUT, EP_CDC_IN, EP_CDC_NOTIFY, EP_TABLE_COUNT };
extern endpoint_t g_endpoint[EP_TABLE_COUNT];
extern bool g_usb_revision_b2;
extern volatile uint8_t g_usb_configuration;
extern volatile bool g_usb_suspended;
extern volatile uint32_t g_usb_epoch;

static inline bool endpoint_is_out(const endpoint_t *e) { return (e->index & 1u) != 0; }

/* usb_endpoint.c */
void buffer_arm(uint32_t index, uint32_t half, uint32_t control);
void buffer_take_back(uint32_t index);
void dpram_write(uint32_t offset, const uint8_t *data, size_t length);
void dpram_read(uint32_t offset, uint8_t *data, size_t length);
void endpoints_close(void);
void endpoints_open(void);
void endpoint_done(uint32_t index);
void endpoint_halt(endpoint_t *e);
void endpoint_clear(endpoint_t *e);  /* CLEAR_FEATURE(ENDPOINT_HALT): toggle back to DATA0 */
endpoint_t *endpoint_of(uint8_t address);
void endpoint_frame_started(void);

/* usb_e5.c */
void usb_e5_after_reset(void);

/* usb_control.c */
void control_reset(void);
void control_setup(void);
void control_done(uint32_t index);
void control_start(void);
#endif
