/** One sentence of the display in both languages. `{0}` and `{1}` are replaced by decimal numbers on the reader. */
export interface DisplayText {
  readonly ja: string;
  readonly en: string;
}

/** Pixels of one row of the display. A Japanese character is 16 wide, an ASCII one 8; rows are 16 high, four of them. */
export const DISPLAY_WIDTH = 128;

/**
 * Where the letter chooser draws: the character and beside it its negative, so that every pixel row of the cell has exactly 8 lit
 * pixels whatever the character is. The bench masks this rectangle in pictures. Pixels, origin top left.
 */
export const chooserCell = { x: 112, y: 48, width: 16, height: 16 } as const;

/** Everything the display can say. Widths are checked when the C table is printed. */
export const displayTexts = {
  // start and rest
  testKeyAndIds: { ja: "テスト用の鍵とID", en: "TEST key and ids" },
  testKey: { ja: "テスト用の鍵", en: "TEST key" },
  testIds: { ja: "テスト用のID", en: "TEST USB ids" },
  idleNoCard1: { ja: "カードを", en: "Please insert" },
  idleNoCard2: { ja: "入れてください", en: "a card" },
  idleCardIn1: { ja: "カードが", en: "Card inserted" },
  idleCardIn2: { ja: "入っています", en: "" },
  idleCardActive: { ja: "カードを使用中", en: "Card in use" },
  busy: { ja: "処理中です", en: "Please wait" },
  blink: { ja: "ここです", en: "Here I am" },
  // the secret's name: two rows, the second shares its row with the tries left
  secretAuth1: { ja: "利用者証明用", en: "Authentication" },
  secretAuth2: { ja: "暗証番号", en: "PIN" },
  secretSign1: { ja: "署名用パスワード", en: "Signature" },
  secretSign2: { ja: "", en: "password" },
  secretUnknown1: { ja: "種類のわからない", en: "Unknown card" },
  secretUnknown2: { ja: "暗証番号", en: "secret" },
  triesLeft: { ja: "残り{0}回", en: "{0} left" },
  triesUnknown: { ja: "残り不明", en: "? left" },
  // which of the fields of a change
  stageCurrent: { ja: "今のもの", en: "Current" },
  stageNew: { ja: "新しいものを入力", en: "Enter new one" },
  stageConfirm: { ja: "もう一度同じもの", en: "Repeat new one" },
  // entry
  modeDigits: { ja: "数字", en: "123" },
  modeLetters: { ja: "英字", en: "ABC" },
  lengthExact: { ja: "{0}文字", en: "{0} long" },
  lengthRange: { ja: "{0}-{1}文字", en: "{0}-{1} long" },
  tooShort: { ja: "短すぎます", en: "Too short" },
  mismatch: { ja: "一致しません", en: "Not the same" },
  // the last try
  lastTry1: { ja: "あと1回だけです", en: "LAST TRY" },
  lastTry2: { ja: "間違えると", en: "A mistake locks" },
  lastTry3: { ja: "ロックされます", en: "this secret." },
  lastTryKeys: { ja: "OK=続行 取消", en: "OK=go on  Cancel" },
  // consent
  consentTitle: { ja: "署名用の鍵で署名", en: "Sign with JPKI?" },
  consentKeys: { ja: "OK/取消", en: "OK/Cancel" },
  consentGiven: { ja: "署名します", en: "Signing" },
  consentRefused: { ja: "署名しません", en: "Not signed" },
  // switching a policy off
  padOnlyOff1: { ja: "暗証番号をPC", en: "Let the computer" },
  padOnlyOff2: { ja: "から送らせますか", en: "send your PIN?" },
  consentOff1: { ja: "確かめずに署名", en: "Sign without" },
  consentOff2: { ja: "させますか?", en: "asking you?" },
  policyOffHold: { ja: "はい=OKを3秒", en: "Yes: OK for 3 s" },
  policyOffCancel: { ja: "いいえ=取消", en: "No:  Cancel" },
  policyOffDone: { ja: "切りました", en: "Switched off" },
  // how it ended
  pinAccepted: { ja: "照合しました", en: "Accepted" },
  pinChanged: { ja: "変更しました", en: "Changed" },
  pinWrong: { ja: "違います", en: "Wrong" },
  pinBlocked1: { ja: "ロックされて", en: "Locked" },
  pinBlocked2: { ja: "います", en: "" },
  pinDeclined1: { ja: "カードが", en: "The card refused" },
  pinDeclined2: { ja: "断りました", en: "" },
  cancelled: { ja: "取り消しました", en: "Cancelled" },
  timeout: { ja: "時間切れです", en: "Timed out" },
  aborted: { ja: "中断されました", en: "Interrupted" },
  cardPulled1: { ja: "カードが", en: "Card removed" },
  cardPulled2: { ja: "抜かれました", en: "" },
  cardFailed1: { ja: "カードの応答が", en: "The card does" },
  cardFailed2: { ja: "ありません", en: "not answer" },
  // the black box
  eraseAsk1: { ja: "記録をすべて", en: "Erase the log of" },
  eraseAsk2: { ja: "消しますか?", en: "this reader?" },
  eraseDone: { ja: "消しました", en: "Erased" },
} as const satisfies Readonly<Record<string, DisplayText>>;

/** Name of a display text. */
export type DisplayTextName = keyof typeof displayTexts;

/** Widest a text can get in pixels: its numbers have at most two digits. */
export function textWidth(text: string): number {
  return [...text.replace(/\{[01]\}/g, "00")].reduce((sum, c) => sum + (c >= " " && c <= "~" ? 8 : 16), 0);
}

/** The display's texts with a product's own in their places. */
export function withOverrides(own: Readonly<Record<string, Partial<DisplayText>>>): Readonly<Record<string, DisplayText>> {
  return Object.fromEntries(
    Object.entries<DisplayText>(displayTexts).map(([name, text]) => [name, Object.hasOwn(own, name) ? { ...text, ...own[name] } : text]),
  );
}
