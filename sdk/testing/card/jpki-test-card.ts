import { constants, createHash, privateEncrypt } from "node:crypto";
import type { ShortCommand } from "./command.js";
import { parseShort } from "./command.js";
import type { CardApplication, CardFile, CardPersonality, CardState, KeyFile, SecretFile } from "./model.js";
import type { CardMaterial } from "./personality.js";
import { standardPersonality } from "./personality.js";

/** Answer to one command: response APDU and the time the card takes to think. */
export interface CardAnswer {
  readonly response: Uint8Array;
  /** Milliseconds between the command's last octet and the answer's first. */
  readonly thinkMs: number;
}

/**
 * A My Number card at APDU level, with real RSA keys. Files, secrets, security state and status words are those of
 * docs/reference/jpki-card.md, cited at each rule; what it decides without a source stands there in §9. It answers exactly what such a
 * card was seen to answer and refuses the rest: a card that says 9000 to everything is taken for another one by OpenSC.
 */
export class JpkiTestCard {
  readonly #personality: CardPersonality;
  readonly #secrets = new Map<string, { tries: number; value: Uint8Array | undefined }>();
  #application = -1;
  #file = -1;
  readonly #verified = new Set<number>();
  #challenges = 0;

  constructor(personality: CardPersonality) {
    this.#personality = personality;
    personality.applications.forEach((application, index) => {
      for (const file of application.files)
        if (file.kind === "secret") this.#secrets.set(`${index}:${file.fid}`, { tries: file.maxTries, value: file.value });
    });
  }

  /** The standard card: `3BDA13FF8131FB46…`, both certificates, counters full. */
  static standard(material: CardMaterial): JpkiTestCard {
    return new JpkiTestCard(standardPersonality(material));
  }

  /** Answer to reset, whole. */
  get atr(): Uint8Array {
    return this.#personality.atr.slice();
  }

  /** Power-on or warm reset: nothing is selected, nothing verified; counters stay. */
  powerOn(): Uint8Array {
    this.#application = -1;
    this.#file = -1;
    this.#verified.clear();
    return this.atr;
  }

  /** One command APDU. */
  transmit(command: Uint8Array): CardAnswer {
    const parsed = parseShort(command);
    // Extended length: what these cards do with it differs by family (jpki-card.md §1.3), so this one refuses it.
    if (parsed === undefined) return answer(0x6700);
    // Secure messaging bits in CLA: 69FC (jpki-card.md §1.3).
    if (parsed.cla !== 0x80 && (parsed.cla & 0x0c) !== 0) return answer(0x69fc);
    switch ((parsed.cla << 8) | parsed.ins) {
      case 0x00a4:
        return this.#select(parsed);
      case 0x00b0:
        return this.#readBinary(parsed);
      case 0x00b2:
        return this.#readRecord(parsed);
      case 0x0020:
        return this.#verify(parsed);
      case 0x0024:
        return this.#change(parsed);
      case 0x802a:
        return this.#sign(parsed);
      case 0x0084:
        return this.#challenge(parsed);
      default:
        // GET DATA among them: OpenSC's probes 00CA and 00CB must get 6D00 (jpki-card.md §8.1). Other classes: 6E00 (ISO 7816-4).
        return answer(parsed.cla === 0x00 || parsed.cla === 0x80 ? 0x6d00 : 0x6e00);
    }
  }

  #select({ p1, p2, data, le }: ShortCommand): CardAnswer {
    if (p1 === 0x04) {
      if (data === undefined || data.length > 16) return answer(0x6700);
      // JICSAP selects a DF by a prefix of its name too (jpki-card.md §2.1).
      const index = this.#personality.applications.findIndex(
        ({ aid }) => data.length <= aid.length && data.every((octet, i) => octet === aid[i]),
      );
      if (index < 0) return answer(0x6a82, [], think.select);
      // No source shows FCI from this card; everybody asks for none (P2 = 0C).
      if (p2 !== 0x0c) return answer(0x6a86);
      // Selecting an application, also the same again, ends what was verified (jpki-card.md §4.4).
      this.#application = index;
      this.#file = -1;
      this.#verified.clear();
      return answer(0x9000, [], think.select);
    }
    if (p1 === 0x02) {
      if (p2 !== 0x0c) return answer(0x6a86);
      if (data?.length !== 2 || le !== undefined) return answer(0x6700);
      const fid = (data[0]! << 8) | data[1]!;
      if (this.#find(fid) === undefined) return answer(0x6a82, [], think.select);
      this.#file = fid;
      return answer(0x9000, [], think.select);
    }
    if (p1 === 0x00) {
      // SELECT MF: 6A86 after reset, 9000 without effect inside an application; by its id 3F00 it is not found (jpki-card.md §2.1).
      if (data !== undefined) return answer(0x6a82);
      return answer(this.#application < 0 ? 0x6a86 : 0x9000);
    }
    // P1 = 09 and others do not work (jpki-card.md §2.1).
    return answer(0x6a86);
  }

  #readBinary({ p1, p2, data, le }: ShortCommand): CardAnswer {
    if (data !== undefined || le === undefined) return answer(0x6700);
    let offset = (p1 << 8) | p2;
    if ((p1 & 0x80) !== 0) {
      // Short EF identifier in bits 5–1, bits 7 and 6 zero (ISO 7816-4, READ BINARY); it becomes the current file.
      if ((p1 & 0x60) !== 0) return answer(0x6a86);
      if (this.#find(p1 & 0x1f) === undefined) return answer(0x6a82);
      this.#file = p1 & 0x1f;
      offset = p2;
    }
    const file = this.#find(this.#file);
    // No current EF, and not a transparent one: ISO 7816-4, READ BINARY; no source for this card.
    if (file === undefined) return answer(0x6986);
    if (file.kind !== "data") return answer(0x6981);
    if (file.read !== "free" && !file.read.anyOf.some((fid) => this.#verified.has(fid))) return answer(0x6982);
    if (offset >= file.bytes.length) return answer(0x6b00);
    const piece = file.bytes.subarray(offset, offset + le);
    // Asked for more than there is: 6282 with what there is; Le 00 asks for "whatever there is" (jpki-card.md §2.2).
    return answer(piece.length < le && le !== 256 ? 0x6282 : 0x9000, piece, think.read);
  }

  #readRecord({ p1, p2, data, le }: ShortCommand): CardAnswer {
    if (data !== undefined || le === undefined) return answer(0x6700);
    const sfi = p2 >> 3;
    const file = this.#find(sfi === 0 ? this.#file : sfi);
    if (file === undefined) return answer(sfi === 0 ? 0x6986 : 0x6a82);
    if (file.kind !== "records") return answer(0x6981);
    // Only "record number P1"; several records at once: 6A81 (jpki-card.md §2.3).
    if ((p2 & 7) !== 4) return answer(0x6a81);
    const record = file.records[p1 - 1];
    if (record === undefined) return answer(0x6a83);
    return answer(0x9000, record.subarray(0, le), think.read);
  }

  /** The secret that P2 names: 80 the current file, 80|sfi by short identifier (jpki-card.md §2.1). */
  #secret(p2: number): { file: SecretFile; state: { tries: number; value: Uint8Array | undefined } } | undefined {
    const fid = p2 === 0x80 ? this.#file : p2 & 0x1f;
    if ((p2 & 0xe0) !== 0x80) return undefined;
    const file = this.#find(fid);
    const state = this.#secrets.get(`${this.#application}:${fid}`);
    return file?.kind === "secret" && state !== undefined ? { file, state } : undefined;
  }

  #verify({ p1, p2, data, le }: ShortCommand): CardAnswer {
    if (p1 !== 0) return answer(0x6a86);
    const secret = this.#secret(p2);
    // Reference data not found (ISO 7816-4, VERIFY).
    if (secret === undefined) return answer(0x6a88);
    const { file, state } = secret;
    if (le !== undefined) return answer(0x6700);
    // Case 1 asks for the counter and spends no try; never 9000, never 6984, or OpenSC gives the card up (jpki-card.md §8.2).
    if (data === undefined) return answer(0x63c0 | state.tries);
    if (data.length > 16) return answer(0x6700);
    // Blocked (jpki-card.md §4.3: the exhausting try says 63C0, later ones 6984).
    if (state.tries === 0) return answer(0x6984, [], think.verify);
    if (state.value !== undefined && state.value.length === data.length && state.value.every((octet, i) => octet === data[i])) {
      state.tries = file.maxTries;
      this.#verified.add(file.fid);
      return answer(0x9000, [], think.verify);
    }
    state.tries--;
    this.#verified.delete(file.fid);
    return answer(0x63c0 | state.tries, [], think.verify);
  }

  /** CHANGE REFERENCE DATA with the new secret only, after VERIFY of the same file (jpki-card.md §4.2). */
  #change({ p1, p2, data, le }: ShortCommand): CardAnswer {
    if (p1 !== 0x01) return answer(0x6a86);
    const secret = this.#secret(p2);
    if (secret === undefined) return answer(0x6a88);
    if (data === undefined || le !== undefined) return answer(0x6700);
    const { file, state } = secret;
    if (state.tries === 0) return answer(0x6984);
    if (!this.#verified.has(file.fid)) return answer(0x6982);
    // Lengths by the rules for residents; which status a real card gives is not known.
    if (data.length < file.minLength || data.length > file.maxLength) return answer(0x6a80);
    state.value = data.slice();
    return answer(0x9000, [], think.verify);
  }

  /**
   * COMPUTE DIGITAL SIGNATURE with P1 = 00: PKCS#1 v1.5 padding of the given octets as they are (jpki-card.md §5). The other schemes one
   * source probed (P1 01…05) are refused like any unknown P1: nobody uses them, and a reader's consent screen could not read them.
   */
  #sign({ p1, p2, data, le }: ShortCommand): CardAnswer {
    if (p1 !== 0x00) return answer(0x6a86);
    if (p2 !== 0x80 && p2 !== 0x97 && p2 !== 0x9a) return answer(0x6a86);
    const file = this.#find(p2 === 0x80 ? this.#file : p2 & 0x1f);
    if (file?.kind !== "key") return answer(p2 === 0x80 ? 0x6985 : 0x6a88);
    // Le must be 00: the 256 octets of the signature. 1 to 245 octets fit under the padding.
    if (data === undefined || le !== 256 || data.length > 245) return answer(0x6700);
    if (!this.#verified.has(file.needs)) return answer(0x6982);
    return answer(0x9000, rawSignature(file, data), think.sign);
  }

  /** GET CHALLENGE, 1…256 octets, at any level (jpki-card.md §2.3). Predictable on purpose: a test's bytes repeat. */
  #challenge({ p1, p2, data, le }: ShortCommand): CardAnswer {
    if (p1 !== 0 || p2 !== 0) return answer(0x6a86);
    if (data !== undefined || le === undefined) return answer(0x6700);
    const octets: number[] = [];
    for (let block = 0; octets.length < le; block++)
      octets.push(...createHash("sha256").update(`JPKI-TEST challenge ${this.#challenges}.${block}`).digest());
    this.#challenges++;
    return answer(0x9000, Uint8Array.from(octets.slice(0, le)), think.read);
  }

  #find(fid: number): CardFile | undefined {
    const application: CardApplication | undefined = this.#personality.applications[this.#application];
    return application?.files.find((file) => file.fid === fid);
  }

  /** Tries left of a secret, looked up behind the card's back, for tests. */
  triesLeft(application: string, fid: number): number | undefined {
    const index = this.#personality.applications.findIndex(({ name }) => name === application);
    return this.#secrets.get(`${index}:${fid}`)?.tries;
  }

  /** Everything that changes, as plain data. */
  save(): CardState {
    const secrets = Object.fromEntries(
      [...this.#secrets].map(([id, { tries, value }]) => [id, { tries, ...(value === undefined ? {} : { value: [...value] }) }]),
    );
    return {
      secrets,
      selectedApplication: this.#application,
      selectedFile: this.#file,
      verified: [...this.#verified],
      challenges: this.#challenges,
    };
  }

  /** The counterpart of {@link save}, for a card of the same personality. */
  load(state: CardState): void {
    for (const [id, { tries, value }] of Object.entries(state.secrets))
      this.#secrets.set(id, { tries, value: value === undefined ? undefined : Uint8Array.from(value) });
    this.#application = state.selectedApplication;
    this.#file = state.selectedFile;
    this.#verified.clear();
    for (const fid of state.verified) this.#verified.add(fid);
    this.#challenges = state.challenges;
  }
}

/** Milliseconds a card thinks. Plausible, not measured: no public timing of the card was found. */
const think = { quick: 2, select: 8, read: 6, verify: 40, sign: 300 } as const;

function answer(sw: number, data: ArrayLike<number> = [], thinkMs: number = think.quick): CardAnswer {
  const response = new Uint8Array(data.length + 2);
  response.set(data);
  response.set([sw >> 8, sw & 0xff], data.length);
  return { response, thinkMs };
}

function rawSignature({ key }: KeyFile, data: Uint8Array): Uint8Array {
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, data);
}
