import { ccidClaims, referenceProduct } from "@inkan/device-proto";
import { openVirtualReader, type VirtualReader } from "@inkan/hwtest/board";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { T1Card } from "@inkan/hwtest/cards";
import { standardMaterial } from "@inkan/hwtest/authority";
import { type Card, modifyPinDirect, parseProperties, pcscFeature, pcscPinStatus, pseudoApdu, Reader, verifyPinDirect } from "@inkan/sdk";
import { afterEach, describe, expect, it } from "vitest";

/** Pseudo APDUs of PC/SC part 10: the pad for programs whose driver passes APDUs and nothing else. */
describe.each(["usb", "link"] as const)("pseudo APDUs over %s", (face) => {
  const material = standardMaterial();
  let bench: VirtualReader;
  let reader: Reader;
  const open = async (secret: string | undefined): Promise<{ card: Card; commands: string[] }> => {
    const standard = JpkiTestCard.standard(material);
    const commands: string[] = [];
    const transmit = standard.transmit.bind(standard);
    standard.transmit = (command) => {
      // The headers that reach the card, never what comes after them.
      commands.push(Buffer.from(command.subarray(0, 4)).toString("hex"));
      return transmit(command);
    };
    bench = await openVirtualReader({ pace: "free", face, card: new T1Card(standard), fingers: false });
    bench.board.on((event) => {
      if (event.type !== "lamp" || !event.lit) return;
      if (secret === undefined) void bench.board.keypad.press("cancel").catch(() => undefined);
      else
        void bench.board.engine.pump
          .sleep(250)
          .then(() => bench.fingers.type(secret))
          .catch(() => undefined);
    });
    reader = await Reader.open(await bench.transport(), { clock: bench.clock });
    const card = await reader.connect({});
    await card.transmit(Uint8Array.of(0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01));
    await card.transmit(Uint8Array.of(0x00, 0xa4, 0x02, 0x0c, 0x02, 0x00, 0x18));
    commands.length = 0;
    return { card, commands };
  };
  afterEach(async () => {
    await reader.close();
    await bench.close();
  });
  const template = { header: [0x00, 0x20, 0x00, 0x80], minLength: 4, maxLength: 4 } as const;

  it("says its features and properties, and asks no card for them", async () => {
    const { card, commands } = await open("1234");
    const features = await card.transmit(pseudoApdu(pcscFeature.getFeatures));
    expect([...features.data]).toEqual([0x06, 0x07, 0x0a, 0x12]);
    expect(features.sw).toBe(0x9000);
    const properties = parseProperties((await card.transmit(pseudoApdu(pcscFeature.getTlvProperties))).data);
    expect(properties).toEqual({
      lcdLayout: ccidClaims.wLcdLayout,
      entryValidationCondition: 7,
      timeOut2: 0,
      minPinSize: 1,
      maxPinSize: 16,
      firmwareId: referenceProduct.version,
      ppduSupport: 3,
      maxApduDataSize: 65535,
      vendorId: referenceProduct.usb.vendorId,
      productId: referenceProduct.usb.productId,
    });
    expect([...(await card.transmit(pseudoApdu(pcscFeature.ifdPinProperties))).data]).toEqual([
      ccidClaims.wLcdLayout & 255,
      ccidClaims.wLcdLayout >> 8,
      7,
      0,
    ]);
    expect((await card.transmit(pseudoApdu(0x05))).sw).toBe(0x6a86);
    expect(commands).toEqual([]);
  });

  it("VERIFY_PIN_DIRECT: the person types, the card's status comes back; then a change, asked twice", async () => {
    const { card, commands } = await open(material.authPin);
    expect((await card.transmit(verifyPinDirect(template))).sw).toBe(0x9000);
    const change = card.transmit(modifyPinDirect({ ...template, header: [0x00, 0x24, 0x01, 0x80] }));
    // The lamp went on once for both: the fingers of this test type the repetition by themselves.
    await bench.board.run(2000);
    await bench.fingers.type(material.authPin);
    expect((await change).sw).toBe(0x9000);
    expect(commands).toEqual(["00200080", "00200080", "00240180"]);
  });

  it("cancel and malformed structures have part 10's status words, and nothing reaches the card but the question for tries", async () => {
    const { card, commands } = await open(undefined);
    expect((await card.transmit(verifyPinDirect(template))).sw).toBe(pcscPinStatus.cancelled);
    const wrong = verifyPinDirect(template);
    wrong[5 + 2] = 0x83; // bmFormatString: a coding that does not exist
    expect((await card.transmit(wrong)).sw).toBe(pcscPinStatus.invalidParameter);
    expect((await card.transmit(verifyPinDirect({ ...template, header: [0x00, 0xb0, 0x00, 0x00] }))).sw).toBe(
      pcscPinStatus.invalidParameter,
    );
    expect(commands).toEqual(["00200080"]);
  });
});
