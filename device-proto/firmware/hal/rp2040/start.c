/* start.c - vector table, first instructions, exceptions. */
#include "chip.h"
#include "hal/hal.h"

extern uint32_t __bss_start[], __bss_end[], __message_start[], __message_end[], __stack_bottom[], __stack_top[];

#define STACK_PAINT 0xc5c5c5c5u

_Noreturn void app_reset(void);
void fault_entry(void);

/* An interrupt nobody asked for: the same end as any other fault. The very same code, or a push of its own would hide the exception frame. */
void irq_unexpected(void) __attribute__((alias("fault_entry")));
#define WEAK_IRQ(name) void name(void) __attribute__((weak, alias("irq_unexpected")))
WEAK_IRQ(irq_timer_0);
WEAK_IRQ(irq_usbctrl);
WEAK_IRQ(irq_pio0_0);
WEAK_IRQ(irq_pio0_1);
WEAK_IRQ(irq_dma_0);
WEAK_IRQ(irq_io_bank0);
WEAK_IRQ(irq_uart0);

typedef void (*vector_t)(void);
__attribute__((section(".vectors"), used)) static const struct {
  uint32_t *stack;
  vector_t reset, nmi, hardfault, reserved[10], pendsv, systick, irq[32];
} k_vectors = {
    .stack = __stack_top,
    .reset = (vector_t)app_reset,
    .nmi = fault_entry,
    .hardfault = fault_entry,
    .reserved = {0, 0, 0, 0, 0, 0, 0, fault_entry /* SVC */, 0, 0},
    .pendsv = fault_entry,
    .systick = fault_entry,
    .irq =
        {
            irq_timer_0,    irq_unexpected, irq_unexpected, irq_unexpected, irq_unexpected, irq_usbctrl,    irq_unexpected, irq_pio0_0,
            irq_pio0_1,     irq_unexpected, irq_unexpected, irq_dma_0,      irq_unexpected, irq_io_bank0,   irq_unexpected, irq_unexpected,
            irq_unexpected, irq_unexpected, irq_unexpected, irq_unexpected, irq_uart0,      irq_unexpected, irq_unexpected, irq_unexpected,
            irq_unexpected, irq_unexpected, irq_unexpected, irq_unexpected, irq_unexpected, irq_unexpected, irq_unexpected, irq_unexpected,
        },
};

_Static_assert(sizeof k_vectors == 48 * sizeof(uint32_t), "16 exceptions, 32 interrupts");

static void fill(uint32_t *from, const uint32_t *to, uint32_t value) {
  volatile uint32_t *p = from;
  while (p < to) *p++ = value;
}

/* Entered from the loader: VTOR, MSP set, interrupts off. */
_Noreturn void app_reset(void) {
  fill(__bss_start, __bss_end, 0);
  fill(__message_start, __message_end, 0);
  uint32_t *sp;
  __asm volatile("mov %0, sp" : "=r"(sp));
  fill(__stack_bottom, sp - 8, STACK_PAINT); /* how deep it ever was can be read from what is left of the paint */
  NVIC_ICER = 0xffffffffu;
  NVIC_ICPR = 0xffffffffu;
  clocks_start();
  time_start();
  reset_start();
  flash_start();
  gpio_start();
  line_wipe_at_start();
  card_contacts_start();
  uart_start();
  buzzer_start();
  display_start();
  keypad_start();
  usb_start();
  irq_on();
  app_start();
  for (;;) app_step();
}

void irq_enable(uint32_t irq, uint32_t priority) {
  const uint32_t shift = (irq & 3u) * 8u;
  NVIC_IPR(irq) = (NVIC_IPR(irq) & ~(0xffu << shift)) | priority << (shift + 6u);
  NVIC_ICPR = BIT(irq);
  NVIC_ISER = BIT(irq);
}

uint32_t hal_stack_used(void) {
  const uint32_t *p = __stack_bottom;
  while (p < __stack_top && *p == STACK_PAINT) p++;
  return (uint32_t)(__stack_top - p) * 4u;
}

/* HardFault, NMI and everything unexpected. Hands the exception frame over; the stack may be the very thing that is broken, so it starts afresh. */
__attribute__((naked)) void fault_entry(void) {
  __asm volatile("cpsid i\n"
                 "mrs r0, msp\n"
                 "ldr r1, =__stack_top\n"
                 "msr msp, r1\n"
                 "ldr r1, =fault_end\n"
                 "bx r1\n"
                 ".ltorg\n");
}

uint64_t hal_poll(uint64_t now_us) {
  const uint64_t display = display_poll(now_us), buzzer = buzzer_poll(now_us);
  return display < buzzer ? display : buzzer;
}
