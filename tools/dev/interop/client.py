"""One PC/SC client for `npm run test:interop`, straight on libpcsclite: lines in, lines out, one process for all of them.

    connect [exclusive]      -> ok ATR                   apdu HEX            -> ok HEX
    many N HEX HEX           -> ok MILLISECONDS          (N times the command; every answer must be the second one)
    feature VERIFY           -> ok HEX                   verify SECONDS HEX  -> ok HEX   (PIN_VERIFY_STRUCTURE's APDU: SW1SW2)
    reconnect | disconnect   -> ok                       anything that fails -> no CODE
"""
import ctypes as c
import sys
import time

pcsc = c.CDLL("libpcsclite.so.1")
ULONG = c.c_ulong


class IoRequest(c.Structure):
    _fields_ = [("protocol", ULONG), ("length", ULONG)]


class No(Exception):
    pass


def call(name, *args):
    function = getattr(pcsc, name)
    function.restype = c.c_long
    code = function(*args) & 0xFFFFFFFF
    if code:
        raise No(f"{code:08x}")


context, card, protocol = c.c_long(), c.c_long(), ULONG()
call("SCardEstablishContext", ULONG(2), None, None, c.byref(context))


def transmit(command):
    send = IoRequest(protocol.value, c.sizeof(IoRequest))
    answer = c.create_string_buffer(65538)
    length = ULONG(len(answer))
    call("SCardTransmit", card, c.byref(send), command, ULONG(len(command)), None, answer, c.byref(length))
    return answer.raw[: length.value]


def control(code, data):
    answer = c.create_string_buffer(264)
    length = ULONG()
    call("SCardControl", card, ULONG(code), data, ULONG(len(data)), answer, ULONG(len(answer)), c.byref(length))
    return answer.raw[: length.value]


def reader():
    names = c.create_string_buffer(1000)
    length = ULONG(len(names))
    call("SCardListReaders", context, None, names, c.byref(length))
    return names.value


def connect(mode="shared"):
    call("SCardConnect", context, reader(), ULONG(1 if mode == "exclusive" else 2), ULONG(3), c.byref(card), c.byref(protocol))
    state, used = ULONG(), ULONG()
    name, name_length = c.create_string_buffer(200), ULONG(200)
    atr, atr_length = c.create_string_buffer(33), ULONG(33)
    call("SCardStatus", card, name, c.byref(name_length), c.byref(state), c.byref(used), atr, c.byref(atr_length))
    return f"T={used.value >> 1} {atr.raw[: atr_length.value].hex()}"


def many(count, command, expected):
    command, expected = bytes.fromhex(command), bytes.fromhex(expected)
    began = time.monotonic()
    for turn in range(int(count)):
        answer = transmit(command)
        if answer != expected:
            raise No(f"{turn}: {answer.hex()}")
    return str(int((time.monotonic() - began) * 1000))


def feature():
    """CM_IOCTL_GET_FEATURE_REQUEST: tag, length 4, control code, most significant byte first."""
    answer = control(0x42000000 + 3400, b"")
    for at in range(0, len(answer), 6):
        if answer[at] == 6:
            return int.from_bytes(answer[at + 2 : at + 6], "big")
    raise No("no FEATURE_VERIFY_PIN_DIRECT")


def verify(seconds, apdu):
    """PIN_VERIFY_STRUCTURE of PC/SC part 10: ASCII, from the first byte, 4 to 16 characters, OK key, no message."""
    command = bytes.fromhex(apdu)
    head = bytes([int(seconds), 0, 0x82, 0x00, 0x00, 16, 4, 2, 1, 9, 4, 0, 0, 0, 0])
    return control(feature(), head + len(command).to_bytes(4, "little") + command).hex()


verbs = {
    "connect": connect,
    "apdu": lambda text: transmit(bytes.fromhex(text)).hex(),
    "file": lambda path: transmit(bytes.fromhex(open(path).read())).hex(),
    "many": many,
    "feature": lambda: f"{feature():08x}",
    "verify": verify,
    "reconnect": lambda: call("SCardReconnect", card, ULONG(2), ULONG(3), ULONG(1), c.byref(protocol)),
    "disconnect": lambda: call("SCardDisconnect", card, ULONG(2)),
}
for line in sys.stdin:
    verb, *args = line.split()
    try:
        print(f"ok {verbs[verb](*args) or ''}".rstrip(), flush=True)
    except No as no:
        print(f"no {no}", flush=True)
