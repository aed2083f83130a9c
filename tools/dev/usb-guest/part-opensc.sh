# OpenSC as it is packaged, on pcscd. Its jpki driver has no PIN pad: jpki_pin_cmd of card-jpki.c sends VERIFY with the host's digits whatever
# the reader can do, and with none it gives up before the reader hears of it. So here the digits are the host's; the consent of each signature
# is given on our pad. A PIN typed on the pad is tried in part pcsc, without OpenSC.
cat > opensc.conf <<'CONF'
app default { reader_driver pcsc { enable_pinpad = false; } }
CONF
export OPENSC_CONF=/run/guest/opensc.conf
pcscd --foreground --info > pcscd-opensc.log 2>&1 &
pcscd=$!
p11() { pkcs11-tool --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so "$@"; }
send() { echo "@ file $1 $(base64 -w 0 < "$2")"; }

listed() { opensc-tool -l 2>/dev/null | grep -q Yes; }
wait_for 30 listed
is opensc-name "$(opensc-tool -n 2>/dev/null)" jpki

pkcs15-tool -c -k > list.out 2>&1
is opensc-lists "$(grep -c '^X.509 Certificate' list.out) certificates, $(grep -c '^Private RSA Key' list.out) keys" "4 certificates, 2 keys"
for id in 1 3 4; do pkcs15-tool --read-certificate $id > $id.pem 2> $id.err || no opensc-reads "$(cat $id.err)"; send cert-$id $id.pem; done
# The signer's certificate carries name and address: only after its password.
pkcs15-tool --read-certificate 2 > 2.out 2>&1 && no opensc-private "read without a password" || ok opensc-private
pkcs15-tool --verify-pin --auth-id 2 --pin "$SIGN" --read-certificate 2 > 2.pem 2> 2.err || no opensc-reads "$(cat 2.err)"
send cert-2 2.pem

dd if=/dev/urandom of=document bs=4096 count=4 2> /dev/null
sign() { p11 --slot-index $(($1 - 1)) --login --pin "$2" --sign -m SHA256-RSA-PKCS --id $1 -i document -o $1.sig > sign.out 2>&1; }
verifies() { openssl x509 -in $1.pem -noout -pubkey > $1.pub && openssl dgst -sha256 -verify $1.pub -signature $1.sig document; }
for key in 1 2; do
  [ $key = 1 ] && { name=auth; secret=$AUTH; } || { name=sign; secret=$SIGN; }
  rm -f $key.sig
  sign $key "$secret" && is opensc-sign-$name "$(verifies $key 2>&1)" "Verified OK" || no opensc-sign-$name "$(cat sign.out)"
done

sign 1 "$WRONG" && no opensc-wrong "a wrong PIN signs" || says opensc-wrong sign.out "C_Login failed: rv = CKR_PIN_INCORRECT (0xa0)"
sign 1 "$AUTH" && ok opensc-right-again || no opensc-right-again "$(cat sign.out)"
# What is asked on the pad is refused there: OpenSC says so, and the next signature is made.
echo "@ do fingers-cancel"
sign 2 "$SIGN" && no opensc-cancel "signed against the person's will" || says opensc-cancel sign.out "C_SignFinal failed: rv = CKR_GENERAL_ERROR (0x5)"
if [ "$PATIENT" = yes ]; then
  echo "@ do fingers-none"
  sign 2 "$SIGN" && no opensc-timeout "signed without a person" || says opensc-timeout sign.out "C_SignFinal failed: rv = CKR_GENERAL_ERROR (0x5)"
fi
echo "@ do fingers-right"
rm -f 2.sig
sign 2 "$SIGN" && is opensc-after "$(verifies 2 2>&1)" "Verified OK" || no opensc-after "$(cat sign.out)"
kill $pcscd; wait $pcscd 2>/dev/null
unset OPENSC_CONF
