import { cardRules } from "./card-rules.js";
import { usbRules } from "./usb-rules.js";

/**
 * Every rule of the strictness layer, with what it protects against. A model names its rule when it calls
 * `host.violation(rule, detail)`; a name that is not in this table is an error of the model (checked in the engine).
 * Each rule has a negative control: an image that breaks it and is caught by this very name.
 */
export const rules = {
  ...usbRules,
  ...cardRules,
  "bus/unmapped": "The CPU touched an address where the chip has nothing (silicon: bus fault).",
  "bus/unaligned": "The CPU touched a word or halfword at an address that is no multiple of its size (Cortex-M0+: HardFault).",
  "bus/narrow": "A byte or halfword write to the private peripheral bus, which takes words only.",
  "bus/unknown-register": "The block has no register at this offset.",
  "bus/read-only": "A register that hardware alone writes was written.",
  "chip/not-modelled": "A block or function was used that exists on silicon but not on this board; nothing true could be said about it.",
  "cpu/undefined": "The CPU was given an undefined instruction, UDF or BKPT (silicon: HardFault).",
  "cpu/not-code": "The CPU runs outside RAM and flash.",
  "cpu/wfi-race":
    "WFI in thread mode while interrupts are enabled: one taken between the check for work and WFI is slept over. Mask (cpsid i), check, WFI, unmask.",
  "cpu/stack": "The stack left its two banks (device-proto/src/board.ts, ramMap).",
  "cpu/bad-vector": "A vector without the Thumb bit was taken (silicon: HardFault).",
  "reset/access": "A block was touched while RESETS holds it in reset.",
  "reset/not-done": "A block was touched after its reset was released but before RESET_DONE said so.",
  "clock/dead-source": "A clock was switched to an oscillator or PLL that is off or not yet stable.",
  "clock/glitch": "An auxiliary source was changed while the clock runs from it (silicon: runt pulses).",
  "clock/pll": "A PLL was powered up outside its limits (VCO 750 to 1600 MHz, FBDIV 16 to 320, reference at least 5 MHz).",
  "clock/overspeed": "clk_sys above 133 MHz or clk_usb other than 48 MHz.",
  "timer/no-tick": "TIMER or watchdog was used while the watchdog's tick generator is off or does not give 1 MHz.",
  "sio/divider-early": "The divider's result was read less than 8 cycles after an operand was written.",
  "pins/not-muxed": "A peripheral was used while no pin is muxed to it.",
  "pins/input-disabled": "A peripheral or GPIO interrupt listens to a pad whose input is disabled.",
  "pins/contention": "The chip drives a pin against another driver.",
  "flash/xip-off": "Code or data was fetched from flash while the serial interface is not in XIP mode (silicon: garbage or a hung bus).",
  "flash/store-to-xip": "A store to the flash window (silicon: ignored at best).",
  "flash/stale-cache": "A line that the XIP cache holds was read after the flash behind it changed and before the cache was flushed.",
  "flash/busy": "The flash got a command other than a status read while it programs or erases.",
  "flash/no-write-enable": "Program, erase or status write without WREN just before.",
  "flash/protected": "Program or erase of a block that the status register protects.",
  "flash/unknown-command": "The flash does not know this command.",
  "ssi/misuse": "The SSI was used in a way its manual forbids (configured while enabled, slave select changed in mid-byte, FIFO overflow).",
  "uart/overflow": "A byte was written to a full transmit FIFO.",
  "uart/config": "Baud rate or line control written while the UART is enabled or still sends (PL011 TRM §3.3.6), or no clock for clk_peri.",
  "uart/divider": "The UART was enabled with a baud rate that no write of LCR_H took over, or an impossible one.",
  "i2c/config": "The I2C block was configured while enabled, or used while disabled.",
  "i2c/overflow": "A command was written to a full I2C transmit FIFO.",
  "i2c/too-fast": "SCL above the display's 400 kHz.",
  "display/unknown-command": "The display does not know this command.",
  "watchdog/expired": 'The watchdog was not fed in time. A test that wants the reset to happen says so (`watchdog: "reset"`).',
  "watchdog/partial": "The watchdog fired while PSM_WDSEL would leave part of the chip unreset.",
} as const satisfies Record<string, string>;
