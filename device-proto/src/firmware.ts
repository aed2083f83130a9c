import { readFile } from "node:fs/promises";

/** The released firmware, as it is in the package. */
export interface ReleasedFirmware {
  /** boot2 and boot loader, for flash offset 0. */
  readonly boot: Uint8Array;
  /** The application image for slot A, with header and TLVs. */
  readonly image: Uint8Array;
  readonly manifest: {
    readonly version: string;
    readonly product: string;
    /** What stands where in flash. */
    readonly boot: { readonly file: string; readonly address: number; readonly size: number; readonly sha256: string };
    readonly image: { readonly file: string; readonly address: number; readonly size: number; readonly sha256: string };
    /** The deepest the main stack can get by the call graph, interrupts on top, and its size, in bytes. */
    readonly stack: { readonly bound: number; readonly size: number };
  };
}

// From src/ and from dist/src/ alike: the package's root is where firmware/ lies beside package.json.
const candidates = ["../firmware/release/", "../../firmware/release/"];

/** Reads the released image from this package. Throws when the package is incomplete. */
export async function releasedFirmware(): Promise<ReleasedFirmware> {
  let failure: unknown;
  for (const candidate of candidates) {
    const folder = new URL(candidate, import.meta.url);
    try {
      const [boot, image, manifest] = await Promise.all([
        readFile(new URL("boot.bin", folder)),
        readFile(new URL("reader.img", folder)),
        readFile(new URL("manifest.json", folder), "utf8"),
      ]);
      return { boot, image, manifest: JSON.parse(manifest) as ReleasedFirmware["manifest"] };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
