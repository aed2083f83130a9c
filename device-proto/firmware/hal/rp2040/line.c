/* line.c - the card's I/O line, character level, on PIO0 state machine 0 (program: gen/card_pio_gen.h, drawn in device-proto/src/pio).
 *
 *   feeder ──word──▶ TX FIFO ──▶ state machine ◀──▶ GPIO ──▶ front end ──▶ card
 *   ring  ◀──9 bits── RX FIFO ◀──┘
 *
 * The machine turns from sending to receiving by itself, after the word whose "more" bit is 0; the CPU turns it from receiving to
 * sending, entering at the guard loop with the turn-round in Y. Deadlines: received characters within 200 us at 223 kbaud (FIFO of 4),
 * hence the top interrupt priority; sending has none but the card's CWT, repeating has none at all. */
#include "chip.h"
#include "gen/card_pio_gen.h"
#include "hal/hal.h"

/* PIO0 (3.7) */
#define PIO_CTRL REG(0x50200000)
#define PIO_FSTAT REG(0x50200004)
#define PIO_FDEBUG REG(0x50200008)
#define PIO_FLEVEL REG(0x5020000c)
#define PIO_TXF0 REG(0x50200010)
#define PIO_RXF0 REG(0x50200020)
#define PIO_IRQ REG(0x50200030)
#define PIO_INSTR_MEM(n) REG(0x50200048u + 4u * (n))
#define PIO_SM0_CLKDIV REG(0x502000c8)
#define PIO_SM0_EXECCTRL REG(0x502000cc)
#define PIO_SM0_SHIFTCTRL REG(0x502000d0)
#define PIO_SM0_ADDR REG(0x502000d4)
#define PIO_SM0_INSTR REG(0x502000d8)
#define PIO_SM0_PINCTRL REG(0x502000dc)
#define PIO_IRQ0_INTE REG(0x5020012c)
#define CTRL_ENABLE BIT(0)
#define CTRL_RESTART BIT(4)
#define FSTAT_RXEMPTY BIT(8)
#define FSTAT_TXFULL BIT(16)
#define FSTAT_TXEMPTY BIT(24)
#define FDEBUG_RXSTALL BIT(0)
#define IRQ_REPEAT BIT(0) /* flag 0: the machine saw an error signal and asks whether to repeat */
#define INTE_RXNEMPTY BIT(0)
#define INTE_TXNFULL BIT(4)
#define INTE_FLAG0 BIT(8)
/* OUT and IN shift right (least significant bit first), autopush at nine bits. */
#define SHIFTCTRL ((9u << 20) | BIT(19) | BIT(18) | BIT(16))
#define SHIFTCTRL_JOIN_RX BIT(31)
#define EXECCTRL ((PIN_CARD_IO << 24) | (CARD_PIO_WRAP << 12) | (CARD_PIO_WRAP_TARGET << 7))
/* SET, OUT and IN all mean the I/O pin, one pin each. */
#define PINCTRL ((1u << 26) | (1u << 20) | (PIN_CARD_IO << 15) | (PIN_CARD_IO << 5) | PIN_CARD_IO)

#define WORD_GUARD_SHIFT 10u
#define WORD_MORE BIT(18)
/* A received word stands in ISR bits 31..23: data least significant first, parity on top. */
#define RX_SHIFT 23u
/* Parity sample at tick 151 of 16 per etu: how old a character is when its word reaches the FIFO. */
#define RX_AGE_TICKS 151u
/* From leaving the guard loop to the start edge: out, jmp, pull, mov, set. */
#define START_TICKS 6u
/* Error signals answered with a repeat, per character (most readers: 4 sendings in all). */
#define REPEATS_MAX 3u

#define RING_SIZE 512u /* 25 ms at 223 kbaud: longer than the longest thing the loop does in one go (a display frame) */
#define RING_LOST 0x8000u /* characters before this one were lost */

static const uint16_t k_program[CARD_PIO_LENGTH] = CARD_PIO_WORDS;
static const uint32_t k_idle_patches[5][2] = {
    {CARD_PIO_SEED_AT, CARD_PIO_SEED_OFF},       {CARD_PIO_SIGNAL_AT, CARD_PIO_SIGNAL_OFF}, {CARD_PIO_SAMPLE_AT, CARD_PIO_SAMPLE_OFF},
    {CARD_PIO_RELEASE_AT, CARD_PIO_RELEASE_OFF}, {CARD_PIO_GOOD_AT, CARD_PIO_GOOD_OFF},
};

static uint16_t s_ring[RING_SIZE];
static volatile uint32_t s_head, s_tail; /* head: interrupt writes; tail: loop reads */
static volatile bool s_lost;
static volatile uint32_t s_received_us;  /* when the newest word was taken from the FIFO: never earlier than it was sampled */
static bool s_running, s_inverse, s_signal;
static uint32_t s_etu_ns = 104160;       /* 372 / 3.571 MHz */
static uint8_t s_extra_guard;

/* What is being sent, by reference. */
static const hal_span_t *volatile s_spans;
static volatile size_t s_offset;
static volatile uint32_t s_left;
static volatile uint32_t s_repeats, s_repeat_behind; /* for the character with so many behind it */
static volatile bool s_refused;

static void force(uint32_t instruction) { PIO_SM0_INSTR = instruction; }

/* Stops the machine wherever it is: a stall, a delay and half a character are forgotten (3.7, SM_RESTART). */
static void machine_stop(void) {
  PIO_CTRL = 0;
  PIO_CTRL = CTRL_RESTART;
  force(CARD_PIO_DO_RELEASE);
}
static void machine_go(void) { PIO_CTRL = CTRL_ENABLE; }

/* Changing a join empties both FIFOs (3.5.2). */
static void fifos_clear(void) {
  PIO_SM0_SHIFTCTRL = SHIFTCTRL | SHIFTCTRL_JOIN_RX;
  PIO_SM0_SHIFTCTRL = SHIFTCTRL;
  PIO_FDEBUG = FDEBUG_RXSTALL;
}

static void sending_over(void) {
  s_left = 0;
  s_spans = NULL;
  PIO_IRQ0_INTE = INTE_RXNEMPTY | INTE_FLAG0;
}

static void listen(void) {
  machine_stop();
  sending_over();
  fifos_clear();
  PIO_IRQ = 0xffu;
  force(CARD_PIO_DO_RX);
  machine_go();
}

/* ---- characters and words ------------------------------------------------------------------------------------------------------------ */

static uint32_t reversed(uint32_t byte) {
  byte = ((byte & 0xf0u) >> 4) | ((byte & 0x0fu) << 4);
  byte = ((byte & 0xccu) >> 2) | ((byte & 0x33u) << 2);
  return ((byte & 0xaau) >> 1) | ((byte & 0x55u) << 1);
}
static uint32_t odd(uint32_t byte) {
  byte ^= byte >> 4;
  byte ^= byte >> 2;
  return (byte ^ (byte >> 1)) & 1u;
}

/* Pin directions of one character, start bit first (1 = pulled low). Direct: one = high; inverse: one = low, most significant first (8.1). */
static uint32_t word_of(uint8_t byte) {
  const uint32_t parity = odd(byte);
  return s_inverse ? 1u | reversed(byte) << 1 | parity << 9 : 1u | (~(uint32_t)byte & 0xffu) << 1 | (parity ^ 1u) << 9;
}

/* Runs in the interrupt, and once with it masked when a sending begins. */
static void feed(void) {
  while (s_left > 0 && (PIO_FSTAT & FSTAT_TXFULL) == 0) {
    while (s_offset == s_spans->length) {
      s_spans++;
      s_offset = 0;
    }
    uint32_t word = word_of(s_spans->data[s_offset]);
    s_offset++;
    s_left--;
    /* After the last character no extra guard is waited: the card may answer 12 etu after it. */
    if (s_left > 0) word |= WORD_MORE | (uint32_t)s_extra_guard << WORD_GUARD_SHIFT;
    PIO_TXF0 = word;
  }
  if (s_left == 0) sending_over();
}

static void drain(void) {
  while ((PIO_FSTAT & FSTAT_RXEMPTY) == 0) {
    uint32_t word = PIO_RXF0 >> RX_SHIFT;
    s_received_us = (uint32_t)hal_now_us();
    if ((PIO_FDEBUG & FDEBUG_RXSTALL) != 0) { /* the machine waited with a bit in its hand: this and the next are not to be trusted */
      PIO_FDEBUG = FDEBUG_RXSTALL;
      s_lost = true;
    }
    if (s_head - s_tail == RING_SIZE) {
      s_lost = true;
      continue;
    }
    if (s_lost) {
      word |= RING_LOST;
      s_lost = false;
    }
    s_ring[s_head % RING_SIZE] = (uint16_t)word;
    s_head++;
  }
}

void irq_pio0_0(void) {
  drain();
  if ((PIO_IRQ & IRQ_REPEAT) != 0) {
    const uint32_t behind = s_left + (PIO_FLEVEL & 0xfu); /* falls with every character that got through */
    if (behind != s_repeat_behind) s_repeats = 0;
    s_repeat_behind = behind;
    if (s_repeats < REPEATS_MAX) {
      s_repeats++;
      PIO_IRQ = IRQ_REPEAT;
    } else {
      s_refused = true;
      listen();
    }
  }
  if (s_left > 0) feed();
  event_raise();
}

/* ---- at start ------------------------------------------------------------------------------------------------------------------------ */

static void cells_wipe(void) {
#ifndef NEGATIVE_LINE_NOT_WIPED
  for (uint32_t i = 0; i < 4; i++) PIO_TXF0 = 0;
  force(CARD_PIO_DO_OSR_NULL);
  force(CARD_PIO_DO_ISR_NULL);
  force(CARD_PIO_DO_X0);
#endif
}

/* A reset empties the FIFOs, but not their cells: a life that ended in the middle of a command left its last characters there. The pad is not the
 * machine's yet, so that nothing of this shows on the line. */
void line_wipe_at_start(void) {
  unreset(RESET_PIO0);
  fifos_clear();
  cells_wipe();
  fifos_clear();
}

/* ---- hal.h --------------------------------------------------------------------------------------------------------------------------- */

static void patch(uint32_t at, uint32_t word) { PIO_INSTR_MEM(at) = word; }

void hal_line_start(void) {
  irq_enable(IRQ_PIO0_0, PRIORITY_CARD_LINE);
  unreset(RESET_PIO0);
  PIO_CTRL = 0;
  for (uint32_t i = 0; i < CARD_PIO_LENGTH; i++) PIO_INSTR_MEM(i) = k_program[i];
  for (size_t i = 0; i < 5; i++) patch(k_idle_patches[i][0], k_idle_patches[i][1]);
  PIO_SM0_EXECCTRL = EXECCTRL;
  PIO_SM0_PINCTRL = PINCTRL;
  s_inverse = s_signal = false;
  s_extra_guard = 0;
  s_refused = false;
  s_head = s_tail = 0;
  s_lost = false;
  hal_line_rate(372, 1);
  machine_stop(); /* direction: in */
  force(CARD_PIO_DO_LOW);
  listen();
  /* The pin is handed over only now that the machine lets go of it, and only while the card is in and powered: one that was pulled or drew too
   * much meanwhile was switched off, and its I/O stays low. */
  const uint32_t primask = irq_save();
  if (hal_card_present() && (SIO_GPIO_OUT & BIT(PIN_CARD_VCC)) != 0) GPIO_CTRL(PIN_CARD_IO) = FUNC_PIO0;
  irq_restore(primask);
  s_running = true;
}

void hal_line_stop(void) {
  SIO_GPIO_OUT_CLR = BIT(PIN_CARD_IO);
  SIO_GPIO_OE_SET = BIT(PIN_CARD_IO);
  GPIO_CTRL(PIN_CARD_IO) = FUNC_SIO;
  if (!s_running) return;
  s_running = false;
  const uint32_t primask = irq_save();
  machine_stop();
  sending_over();
  PIO_IRQ0_INTE = 0;
  fifos_clear();
  irq_restore(primask);
}

void hal_line_rate(uint16_t f, uint8_t d) {
  PIO_SM0_CLKDIV = ((f * CARD_PIO_DIV_FACTOR + d / 2u) / d) << 8;
  s_etu_ns = (uint32_t)f * 280u / d; /* one card clock is 280 ns exactly (125 MHz / 35) */
}

void hal_line_convention(bool inverse) {
  s_inverse = inverse; /* the ring holds line levels, so characters already received are read in the new convention too */
  patch(CARD_PIO_SEED_AT, inverse ? CARD_PIO_SEED_ON : CARD_PIO_SEED_OFF);
}

void hal_line_error_signal(bool on) {
  s_signal = on;
  patch(CARD_PIO_SIGNAL_AT, on ? CARD_PIO_SIGNAL_ON : CARD_PIO_SIGNAL_OFF);
  patch(CARD_PIO_SAMPLE_AT, on ? CARD_PIO_SAMPLE_ON : CARD_PIO_SAMPLE_OFF);
}

void hal_line_extra_guard(uint8_t etu) {
#ifdef NEGATIVE_GUARD_TIME
  const bool eleven = true;
#else
  const bool eleven = etu == 255;
#endif
  s_extra_guard = eleven ? 0 : etu;
  patch(CARD_PIO_RELEASE_AT, eleven ? CARD_PIO_RELEASE_ON : CARD_PIO_RELEASE_OFF);
  patch(CARD_PIO_GOOD_AT, eleven ? CARD_PIO_GOOD_ON : CARD_PIO_GOOD_OFF);
}

bool hal_line_get(uint8_t *byte, bool *parity_error) {
  while (s_tail != s_head) {
    const uint32_t word = s_ring[s_tail % RING_SIZE];
    s_ring[s_tail % RING_SIZE] = 0;
    s_tail++;
    const uint32_t levels = s_inverse ? ~word : word;
    *byte = (uint8_t)(s_inverse ? reversed(levels & 0xffu) : levels & 0xffu);
    const bool wrong = odd(*byte) != ((levels >> 8) & 1u);
    *parity_error = wrong || (word & RING_LOST) != 0;
    if (!wrong || !s_signal) return true; /* where the machine signalled the error, the card sends the character again */
  }
  return false;
}

/* Whole etu to wait in the guard loop, so that the start edge stands at least `turn_etu` after that of the last received character.
 * The time of a received character is known not earlier than it was, so rounding goes to the safe side everywhere. */
static uint32_t turn_round(uint8_t turn_etu) {
  const uint32_t since_us = (uint32_t)hal_now_us() - s_received_us;
  const uint32_t due_ticks = (uint32_t)turn_etu * 16u + 16u;
  const uint32_t passed_ticks = since_us > 100000u ? due_ticks : since_us * 1000u / (s_etu_ns / 16u + 1u);
  const uint32_t have_ticks = RX_AGE_TICKS + START_TICKS + passed_ticks;
  const uint32_t wait = due_ticks > have_ticks ? (due_ticks - have_ticks) / 16u : 0;
  return wait > 31u ? 31u : wait;
}

/* The machine has sent all it was given and stalls in the program's first word, `pull block`, because the last word said "more". */
static bool starved(void) { return (PIO_FSTAT & FSTAT_TXEMPTY) != 0 && PIO_SM0_ADDR == 0; }

/* Sending was broken off: what the FIFO holds goes out, so that no character is cut before the card is switched off. No later: the card would see a
 * pause longer than CWT in a block (11.4.3). */
static void finish_characters(void) {
  if (!s_running || !hal_card_present() || hal_card_overcurrent()) return;
  const uint32_t mask = irq_save();
  sending_over();
  irq_restore(mask);
  const uint64_t end = hal_now_us() + 40000u; /* five characters of 12 etu of 1860 clocks */
  while (hal_line_sending() && !starved() && hal_now_us() < end) hal_idle(hal_now_us() + 50u);
}

bool hal_line_put(const hal_span_t *spans, size_t count, uint8_t turn_etu) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++) total += spans[i].length;
  if (total == 0) return true;
  if (!s_running || hal_line_sending()) return false;
#ifdef NEGATIVE_TURN_ROUND
  turn_etu = 11;
#endif
  const uint32_t primask = irq_save();
  machine_stop();
  fifos_clear();
  s_spans = spans;
  s_offset = 0;
  s_left = total;
  s_repeats = 0;
  s_repeat_behind = UINT32_MAX;
  s_refused = false;
  force(CARD_PIO_DO_Y(turn_round(turn_etu)));
  force(CARD_PIO_DO_OSR_ONES); /* "more" is 1 at the end of the guard loop: on to the first word */
  force(CARD_PIO_DO_GUARD);
  feed();
  if (s_left > 0) PIO_IRQ0_INTE = INTE_RXNEMPTY | INTE_TXNFULL | INTE_FLAG0;
  machine_go();
  irq_restore(primask);
  while (s_left > 0) {
    /* Woken by the feeder; the time is only a net under it: the longest character is 12 + 254 etu of 1860 clocks. */
    if (!app_wait(hal_now_us() + 200000u)) {
      finish_characters();
      const uint32_t mask = irq_save();
      if (s_running) listen();
      irq_restore(mask);
      return false;
    }
  }
  return !s_refused;
}

bool hal_line_sending(void) {
  if (!s_running) return false;
  if (s_left > 0 || (PIO_FSTAT & FSTAT_TXEMPTY) == 0) return true;
  const uint32_t at = PIO_SM0_ADDR;
  return at < CARD_PIO_RX || at == CARD_PIO_HOLD;
}

/* Every place a character passed through is written over: the four FIFO cells (a cleared FIFO keeps its contents), OSR, the copy in ISR,
 * the shift loop's X, and the ring. Called between exchanges, when the card does not send. */
void hal_line_wipe(void) {
  const uint32_t primask = irq_save();
  if (s_running) {
    machine_stop();
    fifos_clear();
#ifndef NEGATIVE_LINE_NOT_WIPED
    cells_wipe();
#endif
    listen();
  }
  for (uint32_t i = 0; i < RING_SIZE; i++) s_ring[i] = 0;
  s_head = s_tail = 0;
  irq_restore(primask);
}
