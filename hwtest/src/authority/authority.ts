import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Person, Reason, Revoked, Which } from "./profile.js";
import { personCertificate, revocationList, rootCertificate } from "./profile.js";

/** One certificate the authority gave out. */
export interface Issued {
  readonly which: Which;
  readonly serial: number;
  readonly notAfter: string;
  readonly revoked?: { readonly at: string; readonly reason: Reason };
}

/** Everything the authority knows, as plain data: keys as PKCS#8 PEM, times as ISO strings, so that it can be kept as one JSON file. */
export interface AuthorityState {
  readonly keys: Readonly<Record<Which, string>>;
  /** Base64 DER. */
  readonly roots: Readonly<Record<Which, string>>;
  readonly nextSerial: number;
  readonly nextCrl: number;
  readonly issued: readonly Issued[];
}

/** A pair of fresh RSA-2048 keys' private half, PKCS#8 PEM. */
function freshKey(): string {
  return generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 65537 })
    .privateKey.export({ format: "pem", type: "pkcs8" })
    .toString();
}

/**
 * The test authority: two roots, certificates in the JPKI profile, CRLs. It knows no clock and no rules of the life cycle: the
 * counter that works out dates stands in front of it and passes them in.
 */
export class TestAuthority {
  #state: AuthorityState;

  constructor(state: AuthorityState) {
    this.#state = state;
  }

  /** A new authority with fresh keys. */
  static create(notBefore: Date, notAfter: Date): TestAuthority {
    const keys = { sign: freshKey(), auth: freshKey() };
    const root = (which: Which, serial: number): string => {
      const key = createPrivateKey(keys[which]);
      return Buffer.from(rootCertificate(which, serial, notBefore, notAfter, createPublicKey(key), key)).toString("base64");
    };
    return new TestAuthority({
      keys,
      roots: { sign: root("sign", 1), auth: root("auth", 2) },
      nextSerial: 0x0705d991,
      nextCrl: 1,
      issued: [],
    });
  }

  /** The state, to be kept. */
  get state(): AuthorityState {
    return this.#state;
  }

  /** Root certificate, DER. */
  root(which: Which): Uint8Array {
    return Buffer.from(this.#state.roots[which], "base64");
  }

  /** Issues one certificate with a fresh key, as the card would have made it. */
  issue(
    which: Which,
    person: Person,
    notBefore: Date,
    notAfter: Date,
  ): { readonly certificate: Uint8Array; readonly key: string; readonly serial: number } {
    const serial = this.#state.nextSerial;
    const key = freshKey();
    const commonName = `TEST${String(serial).padStart(10, "0")}${which === "sign" ? "S" : "A"}`;
    const publicKey = createPublicKey(createPrivateKey(key));
    const certificate = personCertificate({ which, serial, commonName, notBefore, notAfter, publicKey, person }, this.#key(which));
    this.#state = {
      ...this.#state,
      nextSerial: serial + 1,
      issued: [...this.#state.issued, { which, serial, notAfter: notAfter.toISOString() }],
    };
    return { certificate, key, serial };
  }

  /** Revokes a certificate. Throws `RangeError` when it was never issued or is revoked already. */
  revoke(serial: number, at: Date, reason: Reason): void {
    const found = this.#state.issued.find((each) => each.serial === serial && each.revoked === undefined);
    if (found === undefined) throw new RangeError(`no unrevoked certificate with serial ${serial}`);
    const revoked = { ...found, revoked: { at: at.toISOString(), reason } };
    this.#state = { ...this.#state, issued: this.#state.issued.map((each) => (each === found ? revoked : each)) };
  }

  /** The authority's CRL at a time, good for a day (jpki-card.md §7.5: renewed daily). Expired certificates leave it. */
  crl(which: Which, thisUpdate: Date): Uint8Array {
    const revoked = this.#state.issued.flatMap((each): Revoked[] =>
      each.which === which && each.revoked !== undefined && new Date(each.notAfter) >= thisUpdate
        ? [{ serial: each.serial, at: new Date(each.revoked.at), reason: each.revoked.reason }]
        : [],
    );
    const number = this.#state.nextCrl;
    this.#state = { ...this.#state, nextCrl: number + 1 };
    return revocationList(which, number, thisUpdate, new Date(thisUpdate.getTime() + 86_400_000), revoked, this.#key(which));
  }

  #key(which: Which): KeyObject {
    return createPrivateKey(this.#state.keys[which]);
  }
}
