# Autosuspend: the port is suspended by the kernel's own power management while the card is on, then resumed. usbredir has no packet for a
# suspended port, so once the guest has suspended it the bench takes the frames from the bus; the device cannot tell the difference.
state() { cat "$device/power/runtime_status"; }
suspended() { [ "$(state)" = suspended ]; }
active() { [ "$(state)" = active ]; }
slot() { "$NODE" /run/guest/probe-slot.mjs "$ROOT" "$IDS" "$1" 2>&1; }
is card-on "$(slot on), $(slot status)" "active, active"
echo 0 > "$device/power/autosuspend_delay_ms"
echo auto > "$device/power/control"
if wait_for 10 suspended; then
  echo "@ do suspend"
  sleep 1
  echo "@ do resume"
  sleep 0.2
  echo on > "$device/power/control"
  wait_for 10 active && sleep 0.2
  configured && [ "$(state)" = active ] && ok suspend || no suspend "after resume: $(state); $(dmesg | tail -5)"
  is suspend-card-off "$(slot status)" inactive
  is resume-card-on "$(slot on)" active
else no suspend "$(state)"; fi
