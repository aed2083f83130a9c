/* regs.h - the RP2040 registers this firmware uses, and no others. Names and section numbers as in the RP2040 datasheet. */
#ifndef REGS_H
#define REGS_H
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
/* Atomic aliases of APB/AHB-lite peripherals (2.1.2); SIO and the Cortex-M0+ blocks do not have them. */
#define XOR(reg) REG((uintptr_t)&(reg) + 0x1000u)
#define SET(reg) REG((uintptr_t)&(reg) + 0x2000u)
#define CLR(reg) REG((uintptr_t)&(reg) + 0x3000u)
#define BIT(n) (1u << (n))

/* SYSINFO (2.20) */
#define SYSINFO_CHIP_ID REG(0x40000000) /* revision in 31:28: 1 = B0/B1, 2 = B2 */

/* CLOCKS (2.15.7) */
#define CLK_GPOUT0_CTRL REG(0x40008000)
#define CLK_GPOUT0_DIV REG(0x40008004)
#define CLK_GPOUT_AUXSRC_CLK_SYS (6u << 5)
#define CLK_GPOUT_ENABLE BIT(11)
#define CLK_GPOUT_DC50 BIT(12)
#define CLK_REF_CTRL REG(0x40008030)
#define CLK_REF_DIV REG(0x40008034)
#define CLK_REF_SELECTED REG(0x40008038)
#define CLK_REF_SRC_ROSC 0u
#define CLK_REF_SRC_XOSC 2u
#define CLK_SYS_CTRL REG(0x4000803c)
#define CLK_SYS_DIV REG(0x40008040)
#define CLK_SYS_SELECTED REG(0x40008044)
#define CLK_SYS_SRC_AUX 1u /* with AUXSRC 0 = PLL_SYS */
#define CLK_PERI_CTRL REG(0x40008048)
#define CLK_USB_CTRL REG(0x40008054)
#define CLK_USB_DIV REG(0x40008058)
#define CLK_ENABLE BIT(11)
#define CLK_AUXSRC(n) ((uint32_t)(n) << 5)

/* RESETS (2.14) */
#define RESETS_RESET REG(0x4000c000)
#define RESETS_RESET_DONE REG(0x4000c008)
#define RESET_I2C0 BIT(3)
#define RESET_IO_BANK0 BIT(5)
#define RESET_IO_QSPI BIT(6)
#define RESET_PADS_BANK0 BIT(8)
#define RESET_PADS_QSPI BIT(9)
#define RESET_PIO0 BIT(10)
#define RESET_PLL_SYS BIT(12)
#define RESET_PLL_USB BIT(13)
#define RESET_PWM BIT(14)
#define RESET_SYSINFO BIT(19)
#define RESET_TIMER BIT(21)
#define RESET_UART0 BIT(22)
#define RESET_USBCTRL BIT(24)

/* PSM (2.13) */
#define PSM_WDSEL REG(0x40010008)

/* IO_BANK0, PADS_BANK0 (2.19) */
#define GPIO_STATUS(pin) REG(0x40014000u + 8u * (pin))
#define GPIO_CTRL(pin) REG(0x40014004u + 8u * (pin))
#define FUNC_I2C 3u
#define FUNC_UART 2u
#define FUNC_PWM 4u
#define FUNC_SIO 5u
#define FUNC_PIO0 6u
#define FUNC_CLOCK 8u
#define FUNC_NONE 31u
#define GPIO_OEOVER_DISABLE (2u << 12)
#define GPIO_INOVER_HIGH (3u << 16)
#define IO_INTR(pin) REG(0x400140f0u + 4u * ((pin) / 8u))
#define IO_PROC0_INTE(pin) REG(0x40014100u + 4u * ((pin) / 8u))
#define IO_PROC0_INTS(pin) REG(0x40014120u + 4u * ((pin) / 8u))
#define IO_EDGE_LOW(pin) BIT(((pin) % 8u) * 4u + 2u)
#define IO_EDGE_HIGH(pin) BIT(((pin) % 8u) * 4u + 3u)
#define PAD(pin) REG(0x4001c004u + 4u * (pin))
#define PAD_SLEWFAST BIT(0)
#define PAD_SCHMITT BIT(1)
#define PAD_PULLDOWN BIT(2)
#define PAD_PULLUP BIT(3)
#define PAD_DRIVE_2MA (0u << 4)
#define PAD_DRIVE_4MA (1u << 4)
#define PAD_INPUT BIT(6)
#define PAD_NO_OUTPUT BIT(7)

/* IO_QSPI: the flash's chip select can be forced (2.19.6.2) */
#define QSPI_SS_CTRL REG(0x4001800c)
#define QSPI_SS_OUTOVER_NORMAL (0u << 8)
#define QSPI_SS_OUTOVER_LOW (2u << 8)
#define QSPI_SS_OUTOVER_HIGH (3u << 8)

/* XOSC (2.16), ROSC (2.17), PLL (2.18) */
#define XOSC_CTRL REG(0x40024000)
#define XOSC_STATUS REG(0x40024004)
#define XOSC_STARTUP REG(0x4002400c)
#define XOSC_ENABLE_1_15MHZ ((0xfabu << 12) | 0xaa0u)
#define XOSC_STABLE BIT(31)
#define ROSC_RANDOMBIT REG(0x4006001c)
#define PLL_SYS_BASE 0x40028000u
#define PLL_USB_BASE 0x4002c000u
#define PLL_CS(base) REG((base) + 0x0u)
#define PLL_PWR(base) REG((base) + 0x4u)
#define PLL_FBDIV(base) REG((base) + 0x8u)
#define PLL_PRIM(base) REG((base) + 0xcu)
#define PLL_LOCK BIT(31)
#define PLL_PWR_PD BIT(0)
#define PLL_PWR_POSTDIVPD BIT(3)
#define PLL_PWR_VCOPD BIT(5)

/* UART0 (4.2.8) */
#define UART_DR REG(0x40034000)
#define UART_FR REG(0x40034018)
#define UART_FR_BUSY BIT(3)
#define UART_FR_RXFE BIT(4)
#define UART_FR_TXFF BIT(5)
#define UART_IBRD REG(0x40034024)
#define UART_FBRD REG(0x40034028)
#define UART_LCR_H REG(0x4003402c)
#define UART_CR REG(0x40034030)
#define UART_IFLS REG(0x40034034)
#define UART_IMSC REG(0x40034038)
#define UART_MIS REG(0x40034040)
#define UART_ICR REG(0x40034044)
#define UART_INT_RX BIT(4)
#define UART_INT_TX BIT(5)
#define UART_INT_RT BIT(6)

/* I2C0 (4.3.17) */
#define I2C_CON REG(0x40044000)
#define I2C_TAR REG(0x40044004)
#define I2C_DATA_CMD REG(0x40044010)
#define I2C_DATA_STOP BIT(9)
#define I2C_FS_SCL_HCNT REG(0x4004401c)
#define I2C_FS_SCL_LCNT REG(0x40044020)
#define I2C_INTR_MASK REG(0x40044030)
#define I2C_RAW_INTR_STAT REG(0x40044034)
#define I2C_INTR_TX_ABRT BIT(6)
#define I2C_CLR_TX_ABRT REG(0x40044054)
#define I2C_ENABLE REG(0x4004406c)
#define I2C_STATUS REG(0x40044070)
#define I2C_STATUS_TFNF BIT(1)
#define I2C_STATUS_TFE BIT(2)
#define I2C_STATUS_MST_ACTIVITY BIT(5)
#define I2C_SDA_HOLD REG(0x4004407c)
#define I2C_FS_SPKLEN REG(0x400440a0)

/* PWM (4.5.3) */
#define PWM_CSR(slice) REG(0x40050000u + 0x14u * (slice))
#define PWM_DIV(slice) REG(0x40050004u + 0x14u * (slice))
#define PWM_CTR(slice) REG(0x40050008u + 0x14u * (slice))
#define PWM_CC(slice) REG(0x4005000cu + 0x14u * (slice))
#define PWM_TOP(slice) REG(0x40050010u + 0x14u * (slice))

/* TIMER (4.6.5) */
#define TIMER_ALARM0 REG(0x40054010)
#define TIMER_ARMED REG(0x40054020)
#define TIMER_TIMERAWH REG(0x40054024)
#define TIMER_TIMERAWL REG(0x40054028)
#define TIMER_INTR REG(0x40054034)
#define TIMER_INTE REG(0x40054038)

/* WATCHDOG (4.7.6) */
#define WATCHDOG_CTRL REG(0x40058000)
#define WATCHDOG_LOAD REG(0x40058004)
#define WATCHDOG_REASON REG(0x40058008)
#define WATCHDOG_TICK REG(0x4005802c)
#define WATCHDOG_REASON_TIMER BIT(0)
#define WATCHDOG_REASON_FORCE BIT(1)
#define WATCHDOG_CTRL_ENABLE BIT(30)
#define WATCHDOG_CTRL_TRIGGER BIT(31)
#define WATCHDOG_CTRL_PAUSE (7u << 24)
#define WATCHDOG_TICK_ENABLE BIT(9)

/* SSI (4.10.13) */
#define SSI_CTRLR0 REG(0x18000000)
#define SSI_CTRLR1 REG(0x18000004)
#define SSI_SSIENR REG(0x18000008)
#define SSI_SER REG(0x18000010)
#define SSI_BAUDR REG(0x18000014)
#define SSI_SR REG(0x18000028)
#define SSI_SR_BUSY BIT(0)
#define SSI_SR_TFNF BIT(1)
#define SSI_SR_RFNE BIT(3)
#define SSI_DR0 REG(0x18000060)
#define SSI_SPI_CTRLR0 REG(0x180000f4)
/* Serial XIP with command 03h: 32-bit frames in EEPROM-read mode, 8-bit instruction, 24-bit address, one bit wide. */
#define SSI_CTRLR0_XIP ((31u << 16) | (3u << 8))
#define SSI_SPI_CTRLR0_XIP ((0x03u << 24) | (2u << 8) | (6u << 2))
/* Bytes out and in at once, for commands. */
#define SSI_CTRLR0_BYTES (7u << 16)
#define SSI_BAUD_DIVIDER 4u /* 125 MHz / 4: command 03h is good for 50 MHz */

/* SIO (2.3.1.7) */
#define SIO_GPIO_IN REG(0xd0000004)
#define SIO_GPIO_OUT REG(0xd0000010)
#define SIO_GPIO_OUT_SET REG(0xd0000014)
#define SIO_GPIO_OUT_CLR REG(0xd0000018)
#define SIO_GPIO_OE REG(0xd0000020)
#define SIO_GPIO_OE_SET REG(0xd0000024)
#define SIO_GPIO_OE_CLR REG(0xd0000028)

/* Cortex-M0+ (2.4.8) */
#define NVIC_ISER REG(0xe000e100)
#define NVIC_ICER REG(0xe000e180)
#define NVIC_ICPR REG(0xe000e280)
#define NVIC_IPR(irq) REG(0xe000e400u + ((irq) & ~3u))
#define SCB_VTOR REG(0xe000ed08)

/* Interrupt numbers (2.3.2) */
#define IRQ_TIMER_0 0u
#define IRQ_USBCTRL 5u
#define IRQ_PIO0_0 7u
#define IRQ_PIO0_1 8u
#define IRQ_IO_BANK0 13u
#define IRQ_UART0 20u
#endif
