# The kernel's and lsusb's view, cdc_acm, npm usb.
is full-speed "$(cat "$device/speed")" 12
is strings "$(cat "$device/manufacturer") / $(cat "$device/product") / $(cat "$device/serial")" "$STRINGS"
if wait_for 10 bound; then ok ttyACM0; else no ttyACM0 "$(dmesg | tail -5)"; fi

node() { stat -c %a "/dev/$1" 2>&1; }
usb_node() { sed -n 's/^DEVNAME=//p' "$device/uevent"; }
ruled() { [ "$(node "$(usb_node)") $(node ttyACM0)" = "660 660" ] && udevadm info -q property /dev/ttyACM0 | grep -qx ID_MM_DEVICE_IGNORE=1; }
wait_for 10 ruled && ok udev-rule || no udev-rule "$(node "$(usb_node)") $(node ttyACM0) $(udevadm info -q property /dev/ttyACM0 2>&1)"

lsusb -v -d "$IDS" > lsusb.out 2> lsusb.err && [ ! -s lsusb.err ] && ok lsusb-runs || no lsusb-runs "exit $?: $(cat lsusb.err)"
sed 's/^/@ lsusb /' lsusb.out

"$NODE" /run/guest/probe-usb.mjs "$ROOT" "$IDS" > usb.out 2>&1 || cat usb.out
for check in npm-usb interrupt usb-reset npm-events; do
  grep -q "^ok $check" usb.out && ok $check || no $check "$(cat usb.out)"
done
wait_for 10 bound
"$NODE" /run/guest/probe-serial.mjs "$ROOT" > serial.out 2>&1 && ok cdc-link || no cdc-link "$(cat serial.out)"
