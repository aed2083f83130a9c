# pcscd with libccid.
pcscd --foreground --info > pcscd.log 2>&1 &
pcscd=$!
perl /run/guest/probe-pcsc.pl "$APDUS" "$ROUNDS" > pcsc.out 2>&1
grep '^@' pcsc.out
grep -q '^done$' pcsc.out || no pcsc "$(tail -5 pcsc.out) $(tail -15 pcscd.log)"
grep -q '^@ no' pcsc.out && tail -60 pcscd.log
kill $pcscd; wait $pcscd 2>/dev/null
