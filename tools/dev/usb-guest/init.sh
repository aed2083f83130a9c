#!/bin/busybox sh
# First process of the guest: modules, the machine's own root read-only over 9p, then the checks in it.
/bin/busybox mkdir -p /proc /sys /dev /root /tmp
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev 2>/dev/null
while read -r module; do
  insmod "/modules/$module.ko" || echo "@ note insmod $module failed"
done < /modules/order
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro hostroot /root || { echo "@ note no root"; poweroff -f; }
mount --bind /proc /root/proc
mount --bind /sys /root/sys
mount --bind /dev /root/dev
mount -t tmpfs none /root/run
# Scratch room is under /run: a tmpfs over /tmp would hide a tree that lies there.
# Readers configured on this machine are none of the guest's.
[ -d /root/etc/reader.conf.d ] && mount -t tmpfs none /root/etc/reader.conf.d
# Nor are its rules for devices: the only one is the product's.
for rules in usr/lib/udev/rules.d etc/udev/rules.d; do [ -d "/root/$rules" ] && mount -t tmpfs none "/root/$rules"; done
[ -d /root/etc/udev/rules.d ] && cp /guest/70-reader.rules /root/etc/udev/rules.d/
mkdir -p /root/run/pcscd /root/run/guest
cp -r /guest/. /root/run/guest/
[ -f /root/etc/libccid_Info.plist ] && mount --bind /root/run/guest/Info.plist /root/etc/libccid_Info.plist
chroot /root /bin/sh /run/guest/checks.sh
sync
poweroff -f
