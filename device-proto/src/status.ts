/** A sentence in both languages. `{name}` is filled in from the error's details. */
export interface Sentence {
  readonly ja: string;
  readonly en: string;
}
/** What a refusal means: its exit code (docs: command line), what happened, what to try. */
export interface Status {
  readonly exit: number;
  readonly message: Sentence;
  readonly try: Sentence;
}

const row = (exit: number, [ja, en]: readonly [string, string], [tryJa, tryEn]: readonly [string, string]): Status => ({
  exit,
  message: { ja, en },
  try: { ja: tryJa, en: tryEn },
});

/** Every refusal the product knows: one row each, both languages. Nothing secret may stand in a placeholder. */
export const status = {
  // 1 unexpected
  unexpected: row(
    1,
    ["予期しないエラーが起きました: {detail}", "Something unexpected happened: {detail}"],
    ["--trace で記録を取り、開発元に知らせてください。", "Record it with --trace and report it."],
  ),
  // 2 usage and files
  usage: row(
    2,
    ["使い方が正しくありません: {detail}", "The command was not understood: {detail}"],
    ["--help で使い方を確かめてください。", "See --help."],
  ),
  "several-readers": row(
    2,
    ["カードリーダーが複数あります: {list}", "Several readers are attached: {list}"],
    ["--reader で一つを選んでください。", "Choose one with --reader."],
  ),
  "file-unreadable": row(
    2,
    ["ファイルを読めません: {path} ({reason})", "The file cannot be read: {path} ({reason})"],
    ["パスと読み取り権限を確かめてください。", "Check the path and that you may read it."],
  ),
  "file-unwritable": row(
    2,
    ["ファイルに書けません: {path} ({reason})", "The file cannot be written: {path} ({reason})"],
    ["パス、書き込み権限、空き容量を確かめてください。", "Check the path, the permission and the free space."],
  ),
  "folder-unwritable": row(
    2,
    ["フォルダーに書けません: {path} ({reason})", "The folder cannot be written: {path} ({reason})"],
    ["--out で書けるフォルダーを指定してください。", "Name a writable folder with --out."],
  ),
  "output-exists": row(
    2,
    ["出力先がすでにあります: {path}", "The output exists already: {path}"],
    ["上書きするなら --force を、残すなら別の --out を指定してください。", "Overwrite it with --force, or choose another --out."],
  ),
  "product-invalid": row(
    2,
    ["製品定義に問題が {count} 件あります: {path}", "The product definition has {count} problem(s): {path}"],
    ["上の行を直し、`inkan product check` で確かめてください。", "Mend what the lines above say, then run `inkan product check` again."],
  ),
  "not-a-signature": row(
    2,
    ["電子署名として読めません: {detail}", "This cannot be read as a signature: {detail}"],
    ["CMS (.p7s) ファイルかどうか確かめてください。", "Check that it is a CMS (.p7s) file."],
  ),
  "certificate-unreadable": row(
    2,
    ["証明書として読めません: {detail}", "This cannot be read as a certificate: {detail}"],
    ["DER または PEM の証明書を指定してください。", "Give a certificate in DER or PEM."],
  ),
  "trust-missing": row(
    2,
    ["信頼する認証局の証明書がありません。", "There is no trusted authority certificate to check against."],
    ["--trust PEM で認証局の証明書を指定してください。", "Name the authority's certificate with --trust PEM."],
  ),
  // 3 reader, card
  "no-reader": row(
    3,
    ["カードリーダーが見つかりません。", "No reader was found."],
    ["リーダーをつないでください。手元になければ --reader virtual: を試せます。", "Attach a reader, or try --reader virtual: without one."],
  ),
  "no-card": row(3, ["カードが入っていません。", "There is no card in the reader."], ["カードを差し込んでください。", "Put the card in."]),
  "card-pulled": row(
    3,
    ["処理の途中でカードが抜かれました。", "The card was pulled out during the operation."],
    ["カードを差し直して、最初からやり直してください。", "Put it back in and start again."],
  ),
  "reader-unplugged": row(
    3,
    ["処理の途中でリーダーが外れました。", "The reader was unplugged during the operation."],
    ["つなぎ直して、最初からやり直してください。", "Attach it again and start over."],
  ),
  "card-unknown": row(
    3,
    ["マイナンバーカードではないようです。", "This does not seem to be a My Number card."],
    ["カードを確かめてください。ATR は `inkan card info` で見られます。", "Check the card; `inkan card info` shows its ATR."],
  ),
  // 4 secrets
  "pin-wrong": row(
    4,
    ["暗証番号が違います。残り {tries} 回です。", "The secret is wrong; {tries} tries are left."],
    ["よく確かめてから、もう一度実行してください。", "Make sure of it before you try again."],
  ),
  "pin-short": row(
    4,
    ["暗証番号が短すぎます（{min} 文字以上）。", "The secret is too short (at least {min} characters)."],
    ["署名用は 6～16 文字の英数字、利用者証明用は数字 4 桁です。", "Signing takes 6 to 16 letters and digits, authentication 4 digits."],
  ),
  "pin-long": row(
    4,
    ["暗証番号が長すぎます（{max} 文字以下）。", "The secret is too long (at most {max} characters)."],
    ["署名用は 6～16 文字の英数字、利用者証明用は数字 4 桁です。", "Signing takes 6 to 16 letters and digits, authentication 4 digits."],
  ),
  "pin-characters": row(
    4,
    ["暗証番号に使えない文字があります。", "The secret has a character that cannot be used."],
    ["署名用は A～Z と 0～9、利用者証明用は 0～9 だけです。", "Signing takes A–Z and 0–9, authentication 0–9 only."],
  ),
  "pin-cancelled": row(
    4,
    ["リーダーで取消が押されました。", "Cancel was pressed on the reader."],
    ["続けるなら、もう一度実行してください。", "Run it again to go on."],
  ),
  "pin-timeout": row(
    4,
    ["暗証番号の入力が時間切れになりました。", "The secret was not entered in time."],
    ["もう一度実行し、リーダーのランプがついたら入力してください。", "Run it again and type when the reader's lamp is lit."],
  ),
  "pin-blocked": row(
    4,
    ["暗証番号はロックされています。", "The secret is blocked."],
    [
      "市区町村の窓口、またはコンビニのキオスク端末で初期化してください。",
      "Have it reset at the municipal counter or, with a reservation, at a kiosk.",
    ],
  ),
  "consent-refused": row(
    4,
    ["リーダーで署名が取り消されました。", "Signing was refused on the reader."],
    ["画面の言葉が一致していたなら、もう一度実行して確認を押してください。", "If the words agreed, run it again and press OK."],
  ),
  "consent-timeout": row(
    4,
    ["署名の確認が時間切れになりました。", "The signature was not confirmed in time."],
    ["もう一度実行し、画面の言葉を確かめて確認を押してください。", "Run it again, compare the words and press OK."],
  ),
  // 5 verification
  "verification-failed": row(
    5,
    ["署名は正しくありません: {detail}", "The signature is not valid: {detail}"],
    [
      "文書と署名の組み合わせ、または改ざんの有無を確かめてください。",
      "Check that document and signature belong together, or whether one was changed.",
    ],
  ),
  // 6 refused for safety
  "pin-last-try": row(
    6,
    ["残り 1 回です。間違えるとロックされます。", "Only one try is left; a wrong one blocks the secret."],
    ["確かなら --last-try を付けて実行してください。", "If you are sure, run it with --last-try."],
  ),
  refused: row(6, ["安全のため実行しません: {detail}", "Refused for safety: {detail}"], ["{hint}", "{hint}"]),
  // 7 link, card, device
  "card-mute": row(
    7,
    ["カードが応答しません。", "The card does not answer."],
    ["向きと汚れを確かめて差し直してください。", "Check its direction and contacts and put it in again."],
  ),
  "card-parity": row(
    7,
    ["カードとの通信に誤りが続きます。", "What the card sends keeps arriving damaged."],
    ["カードと差込口の接点を拭いてから差し直してください。", "Wipe the contacts of the card and the slot, then put it in again."],
  ),
  protocol: row(
    7,
    ["リーダーまたはカードの応答が規格に合いません: {detail}", "The reader or the card broke the protocol: {detail}"],
    ["差し直して再実行し、続くなら --trace で記録してください。", "Attach it again and retry; if it persists, record it with --trace."],
  ),
  "card-short-only": row(
    7,
    ["このカードは 255 バイトを超えるデータを受け付けません。", "This card takes no more than 255 bytes of data at a time."],
    ["データを分けて送ってください（命令の連鎖）。", "Send the data in parts, by command chaining."],
  ),
  "port-in-use": row(
    7,
    ["ほかのプログラムがポートを使っています: {path}", "Another program uses the port: {path}"],
    ["そのプログラムを終えてからやり直してください。", "End that program and try again."],
  ),
  "port-garbage": row(
    7,
    ["ポートの相手は Inkan リーダーではないようです: {path}", "What answers on the port is not an Inkan reader: {path}"],
    ["別のポートか、通信速度 (?baud=) を確かめてください。", "Check the port and its speed (?baud=)."],
  ),
  "port-missing": row(
    7,
    ["ポートがありません: {path}", "There is no such port: {path}"],
    ["`inkan list` で確かめてください。", "See `inkan list`."],
  ),
  "deadline-passed": row(
    7,
    ["時間内に終わりませんでした（{ms} ミリ秒）。", "It did not finish in time ({ms} ms)."],
    ["リーダーをつなぎ直すか、--timeout を長くしてください。", "Attach the reader again, or give a longer --timeout."],
  ),
  "outcome-unknown": row(
    7,
    [
      "接続が切れ、最後の命令が実行されたかどうか分かりません。",
      "The connection broke and it is unknown whether the last command was carried out.",
    ],
    [
      "`inkan pin status` で残り回数を確かめてからやり直してください。",
      "Check the tries left with `inkan pin status` before trying again.",
    ],
  ),
  "session-broken": row(
    7,
    ["リーダーとの接続が切れました。", "The session with the reader broke."],
    ["もう一度実行してください。", "Run it again."],
  ),
  "link-version": row(
    7,
    ["リーダーの通信版 {reader} とこのソフトの版 {host} が合いません。", "The reader speaks link version {reader}, this program {host}."],
    ["古いほうを更新してください。", "Update the older one."],
  ),
  "slot-busy": row(
    7,
    ["ほかの接続がカードを使用中です。", "Another connection is using the card."],
    ["その接続を閉じてからやり直してください。", "Close it and try again."],
  ),
  "card-status": row(
    7,
    ["カードが断りました: {sw} {words}", "The card refused: {sw} {words}"],
    ["`inkan card info` で状態を確かめてください。", "See the card's state with `inkan card info`."],
  ),
  // 8 missing programs, packages, permissions
  "permission-denied": row(
    8,
    ["権限がありません: {path}", "Permission denied: {path}"],
    ["udev ルールを入れるか、dialout グループに入ってください。", "Install the udev rule, or join the dialout group."],
  ),
  "usb-missing": row(
    8,
    ["この機械では USB を使えません: {detail}", "USB cannot be used on this machine: {detail}"],
    ["serial: か virtual: のリーダーを使ってください。", "Use a serial: or virtual: reader."],
  ),
  "udev-missing": row(
    8,
    ["シリアルポートの一覧を取れません: {detail}", "Serial ports cannot be listed: {detail}"],
    ["udev を入れるか、--reader serial:PATH で指定してください。", "Install udev, or name the port: --reader serial:PATH."],
  ),
  "pcsc-missing": row(
    8,
    ["PC/SC は使えません: {detail}", "PC/SC cannot be used: {detail}"],
    ["USB かシリアルのリーダーを使ってください。", "Use a USB or serial reader."],
  ),
  "package-missing": row(
    8,
    ["パッケージがありません: {package}", "A package is missing: {package}"],
    ["入れてください: {command}", "Install it: {command}"],
  ),
  "program-missing": row(
    8,
    ["プログラムがありません: {program}", "A program is missing: {program}"],
    ["入れてください: {command}", "Install it: {command}"],
  ),
  // 9
  "verification-indeterminate": row(
    9,
    ["署名の有効性を判断できません: {detail}", "Whether the signature is valid cannot be decided: {detail}"],
    ["報告の「未確認」の行を確かめてください。", "See the lines marked not checked in the report."],
  ),
  // 10
  unsupported: row(
    10,
    ["このカードまたはリーダーではできません: {detail}", "This card or reader cannot do it: {detail}"],
    ["`inkan card info` で対応を確かめてください。", "See what it can do with `inkan card info`."],
  ),
  // 130
  aborted: row(130, ["中止しました。", "It was stopped."], ["続けるなら、もう一度実行してください。", "Run it again to go on."]),
  interrupted: row(130, ["中断されました。", "It was interrupted."], ["続けるなら、もう一度実行してください。", "Run it again to go on."]),
} as const satisfies Record<string, Status>;

/** Name of a refusal. */
export type StatusCode = keyof typeof status;

/** Fills a sentence's placeholders; one without a value stays visible as `…`. */
export function fill(text: string, details: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => (name in details ? String(details[name]) : "…"));
}
