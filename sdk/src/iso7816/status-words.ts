/** A status word in words. */
export interface StatusWordText {
  readonly ja: string;
  readonly en: string;
}

/** ISO/IEC 7816-4 tables 5 to 7, as far as a person can be told something by it. `6xyy` keys first by the whole word, then by SW1. */
const words: Readonly<Record<number, StatusWordText>> = {
  0x9000: { ja: "正常終了", en: "normal processing" },
  0x6200: { ja: "警告: 情報なし", en: "warning, no information given" },
  0x6281: { ja: "返されたデータの一部が壊れている可能性", en: "part of the returned data may be corrupted" },
  0x6282: { ja: "指定の長さを読む前にファイルの終わりに達した", en: "end of file reached before reading Le bytes" },
  0x6283: { ja: "選択したファイルは閉塞されている", en: "selected file is deactivated" },
  0x6284: { ja: "ファイル制御情報の形式が正しくない", en: "file control information is not formatted as specified" },
  0x6285: { ja: "選択したファイルは終了状態", en: "selected file is in termination state" },
  0x6300: { ja: "照合が一致しない", en: "verification failed, no information about tries" },
  0x6381: { ja: "書き込みでファイルが一杯になった", en: "file filled up by the last write" },
  0x6400: { ja: "実行エラー（状態は変わっていない）", en: "execution error, state unchanged" },
  0x6401: { ja: "カードが即時の応答を求めている", en: "immediate response required by the card" },
  0x6500: { ja: "実行エラー（状態が変わった）", en: "execution error, state changed" },
  0x6581: { ja: "メモリーへの書き込みに失敗", en: "memory failure" },
  0x6600: { ja: "セキュリティに関わるエラー", en: "security-related issue" },
  0x6700: { ja: "長さが正しくない", en: "wrong length" },
  0x6881: { ja: "論理チャネルに対応していない", en: "logical channel not supported" },
  0x6882: { ja: "セキュアメッセージングに対応していない", en: "secure messaging not supported" },
  0x6883: { ja: "コマンド連鎖の最後のコマンドが必要", en: "last command of the chain expected" },
  0x6884: { ja: "コマンド連鎖に対応していない", en: "command chaining not supported" },
  0x6981: { ja: "ファイル構造と合わないコマンド", en: "command incompatible with file structure" },
  0x6982: { ja: "セキュリティ条件を満たしていない（照合が必要）", en: "security status not satisfied (verification needed)" },
  0x6983: { ja: "認証方法が閉塞されている（ロック）", en: "authentication method blocked" },
  0x6984: { ja: "参照データが使えない", en: "reference data not usable" },
  0x6985: { ja: "使用条件を満たしていない", en: "conditions of use not satisfied" },
  0x6986: { ja: "コマンドが許されない（カレント EF がない）", en: "command not allowed (no current EF)" },
  0x6987: { ja: "セキュアメッセージングのデータがない", en: "expected secure messaging data objects missing" },
  0x6988: { ja: "セキュアメッセージングのデータが正しくない", en: "incorrect secure messaging data objects" },
  0x6a80: { ja: "データ部のパラメーターが正しくない", en: "incorrect parameters in the command data field" },
  0x6a81: { ja: "機能に対応していない", en: "function not supported" },
  0x6a82: { ja: "ファイルまたはアプリケーションが見つからない", en: "file or application not found" },
  0x6a83: { ja: "レコードが見つからない", en: "record not found" },
  0x6a84: { ja: "ファイルに空きがない", en: "not enough memory space in the file" },
  0x6a85: { ja: "Nc と TLV 構造が矛盾", en: "Nc inconsistent with TLV structure" },
  0x6a86: { ja: "P1-P2 が正しくない", en: "incorrect parameters P1-P2" },
  0x6a87: { ja: "Nc と P1-P2 が矛盾", en: "Nc inconsistent with parameters P1-P2" },
  0x6a88: { ja: "参照データが見つからない", en: "referenced data not found" },
  0x6a89: { ja: "ファイルがすでにある", en: "file already exists" },
  0x6b00: { ja: "P1-P2 が範囲外", en: "wrong parameters P1-P2 (outside the file)" },
  0x6d00: { ja: "INS に対応していない", en: "instruction code not supported" },
  0x6e00: { ja: "CLA に対応していない", en: "class not supported" },
  0x6f00: { ja: "カードが原因を示さないエラー", en: "no precise diagnosis" },
};

const bySw1: Readonly<Record<number, StatusWordText>> = {
  0x62: { ja: "警告（状態は変わっていない）", en: "warning, state unchanged" },
  0x63: { ja: "警告（状態が変わった）", en: "warning, state changed" },
  0x64: { ja: "実行エラー（状態は変わっていない）", en: "execution error, state unchanged" },
  0x65: { ja: "実行エラー（状態が変わった）", en: "execution error, state changed" },
  0x66: { ja: "セキュリティに関わるエラー", en: "security-related issue" },
  0x68: { ja: "CLA の機能に対応していない", en: "functions in CLA not supported" },
  0x69: { ja: "コマンドが許されない", en: "command not allowed" },
  0x6a: { ja: "P1-P2 が正しくない", en: "wrong parameters P1-P2" },
};

/** A status word (0..65535) in words, both languages. */
export function statusWord(sw: number): StatusWordText {
  const sw1 = sw >> 8;
  const sw2 = sw & 0xff;
  const exact = words[sw];
  if (exact) return exact;
  if ((sw & 0xfff0) === 0x63c0) return { ja: `照合が一致しない（残り ${sw2 & 15} 回）`, en: `verification failed, ${sw2 & 15} tries left` };
  const count = sw2 || 256;
  if (sw1 === 0x61) return { ja: `正常終了（あと ${count} バイト）`, en: `normal processing, ${count} bytes still available` };
  if (sw1 === 0x6c) return { ja: `Le が正しくない（正しくは ${count} バイト）`, en: `wrong Le, exactly ${count} bytes are available` };
  if (sw1 === 0x92) return { ja: "カードのメモリーの状態", en: "memory condition of the card" };
  return bySw1[sw1] ?? { ja: "意味の決まっていない応答", en: "status word without a standard meaning" };
}

/** Tries left when `sw` is 63Cx, 0 when 6983 or 6984, else `undefined`. */
export function triesLeft(sw: number): number | undefined {
  if ((sw & 0xfff0) === 0x63c0) return sw & 15;
  return sw === 0x6983 || sw === 0x6984 ? 0 : undefined;
}
