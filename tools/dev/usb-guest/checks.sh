# What the guest looks at. Each check says "@ ok NAME" or "@ no NAME: WHY"; "@ do WHAT" asks the bench for a hand at the reader.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/run/guest TMPDIR=/run/guest
. /run/guest/settings
cd /run/guest

ok() { echo "@ ok $1"; }
no() { echo "@ no $1: $(echo "$2" | tr '\n\r' '  ' | cut -c1-600)"; }
is() { [ "$2" = "$3" ] && ok "$1" || no "$1" "is \"$2\", should be \"$3\""; }
# wait_for SECONDS COMMAND...: true as soon as the command is.
wait_for() {
  limit=$(($(date +%s) + $1)); shift
  until "$@"; do [ "$(date +%s)" -ge "$limit" ] && return 1; sleep 0.05; done
}
find_device() {
  for one in /sys/bus/usb/devices/*; do
    [ -f "$one/idVendor" ] && [ "$(cat "$one/idVendor" 2>/dev/null):$(cat "$one/idProduct" 2>/dev/null)" = "$IDS" ] && { device=$one; return 0; }
  done
  return 1
}
configured() { find_device && [ "$(cat "$device/bConfigurationValue" 2>/dev/null)" = 1 ] && [ -e "$device/$(basename "$device"):1.2" ]; }
gone() { ! find_device; }
bound() { [ -c /dev/ttyACM0 ]; }

echo "inkan: the reader is plugged in" > /dev/kmsg
echo "@ do plug"
if wait_for 60 configured; then ok enumerated; else no enumerated "$(dmesg | tail -15)"; poweroff -f; fi
is full-speed "$(cat "$device/speed")" 12
is strings "$(cat "$device/manufacturer") / $(cat "$device/product") / $(cat "$device/serial")" "$STRINGS"

if wait_for 10 bound; then ok ttyACM0; else no ttyACM0 "$(dmesg | tail -5)"; fi

lsusb -v -d "$IDS" > lsusb.out 2> lsusb.err
code=$?
# usbutils says of every CCID that is not of version 1.00 that its own table is of 1.00.
bad=$(grep -v 'bcdCCID  *1.10  (Warning: Only accurate for version 1.0)' lsusb.out | grep -iE 'unrecognized|unknown|invalid|warning|error|cannot|can.t|couldn.t')
if [ $code = 0 ] && [ ! -s lsusb.err ] && [ -z "$bad" ] && grep -q 'ChipCard Interface Descriptor' lsusb.out && grep -q 'CDC ACM' lsusb.out; then ok lsusb
else no lsusb "exit $code: $bad $(cat lsusb.err)"; fi

"$NODE" /run/guest/probe-usb.mjs "$ROOT" "$IDS" > usb.out 2>&1 && ok npm-usb || no npm-usb "$(cat usb.out)"
"$NODE" /run/guest/probe-serial.mjs "$ROOT" > serial.out 2>&1 && ok cdc-link || no cdc-link "$(cat serial.out)"

pcscd --foreground --debug > pcscd.log 2>&1 &
pcscd=$!
perl /run/guest/probe-pcsc.pl > pcsc.out 2>&1
grep '^@' pcsc.out
grep -q '^done$' pcsc.out || no pcsc "$(tail -5 pcsc.out) $(tail -15 pcscd.log)"
grep -q '^@ no' pcsc.out && tail -60 pcscd.log
kill $pcscd; wait $pcscd 2>/dev/null

for round in 1 2 3; do
  echo "@ do unplug"
  wait_for 20 gone || { no replug "round $round: still there"; break; }
  echo "@ do plug"
  wait_for 60 configured && wait_for 10 bound || { no replug "round $round: $(dmesg | tail -5)"; break; }
  [ $round = 3 ] && ok replug
done

# Everything since the cable was first touched, with its level in front; 4 is a warning.
dmesg -r > kernel.out
loud=$(sed '1,/inkan: the reader is plugged in/d' kernel.out | awk -F'[<>]' '($2 % 8) <= 4')
grep -q 'inkan: the reader is plugged in' kernel.out && [ -z "$loud" ] && ok kernel-log || no kernel-log "$(wc -l < kernel.out) lines; loud: $loud"
echo "@ end"
