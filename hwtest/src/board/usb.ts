import type { ModelHost } from "./model.js";
import { UsbController } from "./usb-controller.js";
import { UsbHost } from "./usb-host.js";

/** Puts the USB controller into the chip and a host at the other end of an unplugged cable (`host.plug()`). */
export function createUsb(host: ModelHost): { readonly controller: UsbController; readonly host: UsbHost } {
  const controller = new UsbController(host);
  const usbHost = new UsbHost(host, controller);
  controller.bus = usbHost;
  return { controller, host: usbHost };
}
