import { releasedFirmware } from "@inkan/device-proto/firmware";
import { flashMap, pins } from "@inkan/device-proto";
import { expect, test } from "vitest";
import { Display } from "./display.js";
import { Engine } from "./engine.js";
import { I2c } from "./i2c.js";
import { createCardLine } from "./card-line.js";
import { createUsb } from "./usb.js";
import { Keypad } from "./keypad.js";
import { Pwm } from "./pwm.js";
import { Uart } from "./uart.js";

test("boot", async () => {
  const firmware = await releasedFirmware();
  const t0 = performance.now();
  const engine = new Engine({ pace: "free", seed: 1, uniqueId: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), strict: true, watchdog: "violation" });
  const display = new Display(engine);
  new I2c(engine, engine.nets, [pins.displaySda, pins.displayScl], display);
  new Pwm(engine, engine.nets);
  new Uart(engine, engine.nets, [pins.uart0Tx, pins.uart0Rx], () => engine.clocks.periHz);
  new Keypad(engine, engine.nets);
  createCardLine(engine);
  createUsb(engine);
  engine.flash.bytes.set(firmware.boot, 0);
  engine.flash.bytes.set(firmware.image, flashMap.slotA.at);
  engine.powerOn();
  const t1 = performance.now();
  let last = "";
  for (let ms = 1; ms < 200; ms++) {
    while (!engine.run(ms * 1e6, 1e6));
    const now = `${engine.state} ${engine.clkSysHz / 1e6} MHz asleep=${engine.chip.core.waiting}`;
    if (now !== last) console.log(ms, now, engine.chip.core.PC.toString(16));
    last = now;
  }
  console.log(t1 - t0, performance.now() - t1, display.revision);
  expect(engine.state).toBe("running");
});
