import { fill, type Sentence } from "@inkan/device-proto";
import type { Holes, Language } from "./cli/language.js";

/** Everything the command line says of its own, in both languages. What went wrong is said by device-proto's status table. */
export const texts = {
  "program.summary": {
    ja: "公的個人認証（マイナンバーカード）用 IC カードリーダー Inkan",
    en: "Inkan, an IC card reader for Japan's public personal authentication (My Number card)",
  },
  "group.card": { ja: "カード", en: "the card" },
  "group.cert": { ja: "電子証明書", en: "certificates" },
  "group.pin": { ja: "暗証番号", en: "the card's secrets" },
  "group.product": { ja: "製品定義", en: "product definitions" },
  "group.virtual": { ja: "仮想リーダー", en: "the virtual reader" },
  "group.hwtest": { ja: "試験台", en: "the test bench" },
  "group.trace": { ja: "通信の記録", en: "recorded exchanges" },
  "verb.demo": { ja: "仮想リーダーで署名から検証までを通して行う", en: "the main job on the virtual reader: boot, card in, sign, verify" },
  "verb.list": { ja: "つながっているリーダーの一覧", en: "the attached readers" },
  "verb.info": { ja: "リーダーの詳細", en: "one reader in full" },
  "verb.identify": { ja: "リーダーの画面を光らせる", en: "make a reader show itself" },
  "verb.card-info": { ja: "ATR とカードの種類", en: "the ATR decoded and what the card is" },
  "verb.card-apdu": { ja: "APDU をそのまま送る（- で標準入力から）", en: "send raw APDUs (- reads them from standard input)" },
  "verb.cert-list": { ja: "カードの電子証明書の一覧", en: "the certificates on the card" },
  "verb.cert-show": {
    ja: "電子証明書の内容（auth、sign、auth-ca、sign-ca、ファイル）",
    en: "a certificate in words (auth, sign, auth-ca, sign-ca or a file)",
  },
  "verb.cert-export": { ja: "電子証明書を PEM か DER で取り出す", en: "write a certificate as PEM or DER" },
  "verb.pin-status": { ja: "暗証番号の残り回数", en: "the tries left" },
  "verb.pin-verify": { ja: "暗証番号を確かめる（1 回使う）", en: "check a secret (one try)" },
  "verb.sign": { ja: "ファイルに電子署名する", en: "sign a file" },
  "verb.verify": { ja: "電子署名を検証する", en: "verify a signature" },
  "verb.product-check": {
    ja: "製品定義の問題を調べる（既定は見本の製品）",
    en: "what is wrong with a product definition (default: the reference's)",
  },
  "verb.product-print": { ja: "製品定義から作られるものを表示する", en: "what comes from a product definition" },
  "option.what": { ja: "表示するもの（既定は manifest）", en: "what to print (default manifest)" },
  "product.good": { ja: "{name}: 問題ありません。", en: "{name}: nothing is wrong." },
  "product.test-ids": {
    ja: "注意: USB の番号は試験用です（pid.codes）。画面にもそう出ます。",
    en: "Note: the USB ids are pid.codes' for tests; the display says so, too.",
  },
  "product.test-key": {
    ja: "注意: 秘密鍵が公開されている試験用の鍵があります。画面にもそう出ます。",
    en: "Note: one key is a TEST key, whose private half everybody has; the display says so, too.",
  },
  "product.no-keys": {
    ja: "注意: 鍵がないので、更新の署名を確かめられません。",
    en: "Note: without keys no update's signature can be checked.",
  },
  "verb.virtual-run": { ja: "ほかのプログラムのための仮想リーダー", en: "a virtual reader for other programs" },
  "verb.hwtest-campaign": {
    ja: "乱数による試験を数多く行う（名前なしで一覧）",
    en: "counted runs over random cases (without a name: which there are)",
  },
  "option.reader": { ja: "リーダー: usb:[シリアル] serial:パス virtual:", en: "which reader: usb:[serial] serial:PATH virtual:" },
  "option.json": { ja: "結果を JSON で標準出力に書く", en: "the result as JSON on standard output" },
  "option.quiet": { ja: "途中の案内を出さない", en: "no notes on the way" },
  "option.lang": { ja: "言語", en: "language" },
  "option.timeout": { ja: "全体の制限時間（秒）", en: "give up after this many seconds" },
  "option.trace": { ja: "通信を記録する（.jsonl か .pcapng、秘密は伏せる）", en: "record the exchange, redacted (.jsonl or .pcapng)" },
  "option.force": { ja: "すでにあるファイルに上書きする", en: "replace existing output files" },
  "option.fingers": {
    ja: "仮想リーダーで試験用の暗証番号を押す: auto、または auth=1234,sign=ABC123",
    en: "who presses the virtual reader's keys: auto, or auth=1234,sign=ABC123 (test secrets)",
  },
  "option.version": { ja: "版を表示する", en: "print the version" },
  "option.help": { ja: "使い方を表示する", en: "print this help" },
  "option.pin-stdin": { ja: "暗証番号を標準入力から読む", en: "take the secret from standard input instead of the pad" },
  "option.last-try": { ja: "残り 1 回でも実行する", en: "go on even when only one try is left" },
  "option.out-folder": { ja: "出力フォルダー（既定は out）", en: "output folder (default out)" },
  "option.out-file": { ja: "出力ファイル", en: "output file" },
  "option.face": { ja: "USB か、シリアルのリンクか", en: "through USB or through the serial link" },
  "option.der": { ja: "PEM でなく DER", en: "DER instead of PEM" },
  "option.key": { ja: "署名に使う鍵", en: "which key signs" },
  "option.format": { ja: "署名の形式", en: "signature format" },
  "option.content": { ja: "署名された文書", en: "the signed document" },
  "option.trust": { ja: "信頼する認証局の証明書（PEM）", en: "the authority's certificate to trust (PEM)" },
  "option.at": { ja: "検証する時刻（ISO 8601）", en: "the moment to judge (ISO 8601)" },
  "option.revocation": { ja: "失効の確認: required か none", en: "revocation: required or none" },
  "option.card": { ja: "はじめに入っているカード: standard か none", en: "the card at the start: standard or none" },
  "option.pty": { ja: "このパスを仮想シリアルポートへのリンクにする", en: "make this path a link to a virtual serial port" },
  "option.pcscd-serial": {
    ja: "同じく、ただし pcscd のために。reader.conf の行を表示する",
    en: "the same for pcscd: prints the lines for its reader.conf",
  },
  "option.allow-clear-network": {
    ja: "暗証番号を暗号化されないネットワークに流すことを許す",
    en: "let a secret cross a network in clear",
  },
  "option.tcp": {
    ja: "リンクをこの TCP ポートで待ち受ける（0 は空いているポート）",
    en: "offer the link on this TCP port (0: any free one)",
  },
  "option.expose": { ja: "ほかの機械からの接続も受ける", en: "let other machines connect, too" },
  "option.usbredir": {
    ja: "仮想マシンに USB で渡すソケット（QEMU の usb-redir）",
    en: "a socket that gives the reader's USB to a virtual machine (QEMU's usb-redir)",
  },
  "option.flash": { ja: "フラッシュの内容を残すファイル", en: "file that keeps the flash" },
  "option.detach": { ja: "親プロセスが終わっても続ける", en: "go on when the parent process has ended" },
  "option.on": { ja: "この計算機の上か、仮想ボードのファームウェアか", en: "on this machine, or the firmware on the virtual board" },
  "option.cases": { ja: "試験の数", en: "how many cases" },
  "option.jobs": { ja: "同時に動かすプロセスの数（既定は 1）", en: "how many processes at once (default 1)" },
  "option.seed": { ja: "乱数の種（既定は 1）。同じ種は同じ試験", en: "seed (default 1): the same seed is the same cases" },
  "option.replay": { ja: "失敗したときに書かれたファイルの 1 件だけを繰り返す", en: "repeat the one case of a file that a failure wrote" },
  "help.example": { ja: "例:", en: "Example:" },

  "usage.unknown-option": { ja: "知らないオプションです: {name}", en: "unknown option {name}" },
  "usage.unknown-command": { ja: "知らないコマンドです: {name}", en: "unknown command {name}" },
  "usage.missing-argument": { ja: "引数が足りません: {name}", en: "missing argument {name}" },
  "usage.missing-value": { ja: "値が要ります: {name}", en: "a value is missing: {name}" },
  "usage.bad-value": { ja: "値が正しくありません: {name}", en: "a value that does not fit: {name}" },
  "usage.bad-time": {
    ja: "時刻は 2026-01-31T12:00:00+09:00 の形で書いてください: {name}",
    en: "write a time like 2026-01-31T12:00:00+09:00: {name}",
  },
  "usage.too-many": { ja: "引数が多すぎます", en: "too many arguments" },
  "usage.no-verb": { ja: "コマンドがありません", en: "no command was given" },
  "usage.same-output": { ja: "同じ出力ファイルが二度指定されています: {path}", en: "the same output file twice: {path}" },
  "usage.auth-or-sign": { ja: "auth か sign を指定してください: {name}", en: "auth or sign is expected: {name}" },
  "usage.not-hex": { ja: "16 進数ではありません", en: "not hexadecimal" },
  "usage.short-apdu": { ja: "APDU は 4 バイト以上です", en: "an APDU has at least 4 bytes" },
  "usage.der-terminal": { ja: "DER を端末には書きません。--out を付けてください", en: "DER does not go to a terminal; add --out" },
  "usage.trace-name": { ja: "--trace のファイル名は .jsonl か .pcapng で終わります", en: "a --trace file ends in .jsonl or .pcapng" },
  "usage.fingers": { ja: "--fingers は auto か auth=…,sign=… です", en: "--fingers is auto or auth=…,sign=…" },
  "usage.card-name": { ja: "カードは standard か none です: {name}", en: "the card is standard or none: {name}" },
  "usage.virtual-door": {
    ja: "--pty、--pcscd-serial、--tcp、--usbredir のどれかを付けてください",
    en: "add --pty, --pcscd-serial, --tcp or --usbredir",
  },
  "usage.host-port": { ja: "HOST:PORT の形で書いてください: {name}", en: "HOST:PORT is expected: {name}" },
  "usage.one-port": {
    ja: "シリアルポートは一つです。{names} は一緒に使えません",
    en: "there is one serial port: {names} do not go together",
  },
  "usage.pcscd-path": {
    ja: "pcscd はこのパスを読めません。英数字と / . _ @ - だけにしてください: {path}",
    en: "pcscd cannot read this path; use letters, digits and / . _ @ - only: {path}",
  },
  "tcp.exposed": {
    ja: "{host} で待ち受けると、ほかの機械もこのリーダーを使えます",
    en: "on {host} other machines could use this reader",
  },
  "tcp.exposed-hint": { ja: "それでよければ --expose を付けてください", en: "Use 127.0.0.1, or add --expose if that is meant." },
  "secret.clear-network": {
    ja: "暗証番号が暗号化されずにネットワークを流れます: {uri}",
    en: "the secret would cross a network in clear: {uri}",
  },
  "secret.clear-network-hint": {
    ja: "テンキーで入力するか、確かなら --allow-clear-network を付けてください",
    en: "Type it on the pad, or add --allow-clear-network if you are sure.",
  },
  "usage.one-cable": {
    ja: "USB ケーブルは一本です。--usbredir と {other} は一緒に使えません",
    en: "there is one USB cable: --usbredir does not go together with {other}",
  },

  "usage.replay-alone": {
    ja: "--replay は --on、--cases、--jobs、--seed と一緒に使えません",
    en: "--replay goes without --on, --cases, --jobs and --seed",
  },

  "file.no-permission": { ja: "権限がありません", en: "no permission" },
  "file.read-only-disk": { ja: "書き込めない装置です", en: "the disk is read-only" },
  "file.none": { ja: "ありません", en: "there is none" },
  "file.not-a-folder": { ja: "フォルダーではありません", en: "not a folder" },
  "file.is-a-folder": { ja: "フォルダーです", en: "it is a folder" },
  "file.disk-full": { ja: "空き容量がありません", en: "the disk is full" },
  "file.long-name": { ja: "名前が長すぎます", en: "the name is too long" },
  "file.too-large": { ja: "大きすぎます", en: "it is too large" },
  wrote: { ja: "書きました: {path}", en: "wrote {path}" },

  "reader.virtual": {
    ja: "仮想リーダーです。カードも鍵も試験用です。",
    en: "This is the virtual reader; its card and keys are test material.",
  },
  "list.none": {
    ja: "リーダーが見つかりません。手元になければ --reader virtual: を試せます。",
    en: "No reader was found. Without one, try --reader virtual:",
  },
  "slot.absent": { ja: "カードなし", en: "no card" },
  "slot.present": { ja: "カードあり", en: "card present" },
  "slot.active": { ja: "カード使用中", en: "card active" },
  "slot.unknown": { ja: "不明", en: "unknown" },
  "info.name": { ja: "名前", en: "Name" },
  "info.address": { ja: "アドレス", en: "Address" },
  "info.serial": { ja: "シリアル番号", en: "Serial" },
  "info.path": { ja: "パス", en: "Path" },
  "info.firmware": { ja: "ファームウェア", en: "Firmware" },
  "info.image": { ja: "イメージのハッシュ", en: "Image hash" },
  "info.slot": { ja: "スロット", en: "Slot" },
  "info.test-ids": { ja: "試験用の USB ID を使っています。", en: "It uses test USB ids." },
  "identify.done": { ja: "{name} の画面が光っています。", en: "{name} has lit its display." },
  "card.protocols": { ja: "プロトコル: {list}", en: "Protocols: {list}" },
  "card.speed": { ja: "速さ: F={f} D={d}", en: "Speed: F={f} D={d}" },
  "card.jpki": { ja: "公的個人認証アプリケーションあり（{token}）", en: "JPKI application found ({token})" },
  "card.no-jpki": { ja: "公的個人認証アプリケーションは見つかりません。", en: "No JPKI application was found." },
  "apdu.secret-argument": { ja: "暗証番号を含む APDU は引数に書けません", en: "an APDU with a secret must not stand in the arguments" },
  "apdu.secret-hint": { ja: "`inkan card apdu -` で標準入力から与えてください。", en: "Give it on standard input: inkan card apdu -" },

  "campaign.failure": { ja: "{number} 番が失敗: {why}", en: "case {number} failed: {why}" },
  "campaign.replay": { ja: "繰り返すには: {command}", en: "to replay it: {command}" },
  "campaign.progress": { ja: "{name}: {cases} 件中 {ran} 件、失敗 {failures} 件", en: "{name}: {ran} of {cases}, {failures} failed" },
  "campaign.stopped": { ja: "{name}: {cases} 件中 {ran} 件で止めました", en: "{name}: stopped after {ran} of {cases}" },

  "cert.subject": { ja: "所有者", en: "Subject" },
  "cert.issuer": { ja: "発行者", en: "Issuer" },
  "cert.serial": { ja: "シリアル番号", en: "Serial" },
  "cert.from": { ja: "有効期間の開始", en: "Valid from" },
  "cert.until": { ja: "有効期限", en: "Valid until" },
  "cert.usage": { ja: "鍵の用途", en: "Key usage" },
  "cert.name": { ja: "氏名", en: "Name" },
  "cert.birth": { ja: "生年月日", en: "Date of birth" },
  "cert.sex": { ja: "性別", en: "Sex" },
  "cert.male": { ja: "男", en: "male" },
  "cert.female": { ja: "女", en: "female" },
  "cert.address": { ja: "住所", en: "Address" },
  "cert.wants-password": {
    ja: "読むには署名用パスワードが要ります（cert show sign）",
    en: "needs the signature password to be read (cert show sign)",
  },

  "secret.auth": { ja: "利用者証明用暗証番号", en: "authentication PIN" },
  "secret.sign": { ja: "署名用パスワード", en: "signature password" },
  "secret.tries": { ja: "{name}: 残り {tries} 回", en: "{name}: {tries} tries left" },
  "secret.tries-unknown": { ja: "{name}: 残り回数は不明", en: "{name}: tries left unknown" },
  "secret.blocked": { ja: "{name}: ロックされています", en: "{name}: blocked" },
  "secret.type-on-pad": {
    ja: "リーダーのランプがついたら、リーダーのキーで{name}を入力してください。",
    en: "When the reader's lamp is lit, type the {name} on the reader's own keys.",
  },
  "secret.folded": {
    ja: "小文字を大文字にして確かめました（カードは大文字で覚えています）。",
    en: "Lower-case letters were taken as upper case, as the card stores them.",
  },
  "secret.right": { ja: "暗証番号は正しく確かめられました。", en: "The secret is right." },

  "sign.hashing": { ja: "ハッシュ計算", en: "hashing" },
  "sign.compare": {
    ja: "リーダーの画面の言葉がこれと同じなら OK を押してください:",
    en: "Press OK on the reader if it shows these same words:",
  },
  "verdict.TOTAL-PASSED": { ja: "署名は有効です", en: "the signature is valid" },
  "verdict.TOTAL-FAILED": { ja: "署名は無効です", en: "the signature is not valid" },
  "verdict.INDETERMINATE": { ja: "判断できません", en: "it cannot be decided" },

  "demo.boot": { ja: "ファームウェアを起動", en: "firmware booted from reset" },
  "demo.card": { ja: "カードを挿入、公的個人認証を確認", en: "card in, JPKI found" },
  "demo.password": { ja: "署名用パスワードをリーダーのキーで入力", en: "password typed on the reader's pad" },
  "demo.certificate": { ja: "署名用電子証明書を読み取り", en: "signature certificate read" },
  "demo.sign": { ja: "言葉を確かめて OK、カードが署名", en: "words compared, OK pressed, signed by the card" },
  "demo.verify": { ja: "署名を検証", en: "signature verified" },
  "demo.words": { ja: "画面の言葉: {words}", en: "words on the display: {words}" },
  "demo.files": { ja: "{folder} に書きました: {names}", en: "wrote to {folder}: {names}" },
  "demo.openssl": { ja: "OpenSSL でも確かめられます:", en: "OpenSSL can check it, too:" },
  "demo.test-material": {
    ja: "カード・鍵・認証局はすべて試験用です（暗証番号 1234 と ABC123）。",
    en: "Card, keys and authority are test material (secrets 1234 and ABC123).",
  },
  "demo.no-revocation": { ja: "失効は確認していません（試験用認証局）。", en: "Revocation was not checked (test authority)." },
  "demo.sample": {
    ja: "これは Inkan の見本文書です。\nThis is Inkan's sample document.\n",
    en: "This is Inkan's sample document.\nこれは Inkan の見本文書です。\n",
  },

  "virtual.ready": { ja: "仮想リーダーの準備ができました: {path}", en: "the virtual reader is ready: {path}" },
  "virtual.reader-conf": {
    ja: "pcscd の reader.conf（Debian では /etc/reader.conf.d/ のファイル）に次の行を:",
    en: "lines for pcscd's reader.conf (on Debian a file in /etc/reader.conf.d/):",
  },
  "pad.keys": {
    ja: "0-9 数字  Enter 確定  * 文字/数字  # 次  Backspace 訂正  Ctrl-U 全消去  Esc 取消",
    en: "0-9 digits  Enter OK  * letters/digits  # next  Backspace correct  Ctrl-U clear  Esc cancel",
  },
  "virtual.refused": { ja: "できませんでした: {line}（{detail}）", en: "it could not be done: {line} ({detail})" },
  "virtual.unknown-line": { ja: "分からない行です: {line}", en: "a line that is not understood: {line}" },
} as const satisfies Record<string, Sentence>;

/** Name of a text. */
export type TextKey = keyof typeof texts;

/** Name of a text without places to fill. */
export type PlainKey = { [Key in TextKey]: Holes<(typeof texts)[Key]["en"]> extends never ? Key : never }[TextKey];

type Values<Key extends TextKey> =
  Holes<(typeof texts)[Key]["en"]> extends never ? [] : [Readonly<Record<Holes<(typeof texts)[Key]["en"]>, string | number>>];

/** A text in a language, its `{placeholders}` filled; the compiler asks for every value a text wants. */
export function say<Key extends TextKey>(language: Language, key: Key, ...values: Values<Key>): string {
  return fill(texts[key][language], values[0] ?? {});
}
