# What the guest looks at: the parts named in PARTS, one after the other. Each check says "@ ok NAME" or "@ no NAME: WHY"; "@ do WHAT" asks
# the bench for a hand at the reader; "@ lsusb", "@ kernel", "@ file NAME" lines are judged outside.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/run/guest TMPDIR=/run/guest SYSTEMD_IGNORE_CHROOT=1
. /run/guest/settings
cd /run/guest

ok() { echo "@ ok $1"; }
no() { echo "@ no $1: $(echo "$2" | tr '\n\r' '  ' | cut -c1-900)"; }
is() { [ "$2" = "$3" ] && ok "$1" || no "$1" "is \"$2\", should be \"$3\""; }
# says NAME FILE WORDS: the file has a line with these words.
says() { grep -qF "$3" "$2" && ok "$1" || no "$1" "does not say \"$3\": $(cat "$2")"; }
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
bound() { [ -c /dev/ttyACM0 ]; }

# Hotplug is udev's word: npm usb and pcscd hear of devices from it. None of our checks needs a rule; part usb looks at what the product's does.
ln -s /bin/udevadm systemd-udevd
./systemd-udevd --daemon > udevd.out 2>&1 || no udevd "$(cat udevd.out)"

echo "inkan: the reader is plugged in" > /dev/kmsg
echo "@ do plug"
if wait_for 60 configured; then ok enumerated; else no enumerated "$(dmesg | tail -15)"; poweroff -f; fi

for part in $PARTS; do
  echo "@ part $part"
  . "/run/guest/part-$part.sh"
done

# Everything since the cable was first touched, with its level in front.
dmesg -r | sed '1,/inkan: the reader is plugged in/d;s/^/@ kernel /'
echo "@ end"
