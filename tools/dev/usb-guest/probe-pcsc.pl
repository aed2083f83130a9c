# In the guest, with the number of APDUs and of unpluggings: pcscd and libccid power the card up, exchange APDUs up to 64 KiB, see the card
# and the reader go and come. Says "@ ok"/"@ no" lines, then "done".
use strict;
use warnings;
use Chipcard::PCSC;
$| = 1;

sub ok { print "\@ ok $_[0]\n" }
sub no_ { my ($name, $why) = @_; $why =~ s/\s+/ /g; print "\@ no $name: $why\n" }
# A hand at the reader; the console is the bench's ear.
sub hand { open(my $tty, '>', '/dev/console') or die "console: $!"; print $tty "\@ do $_[0]\n"; close $tty }
sub hex_ { join '', map { sprintf '%02x', $_ } @{ $_[0] // [] } }
sub wait_for { my ($seconds, $what) = @_; my $limit = time + $seconds; until ($what->()) { return 0 if time >= $limit; select undef, undef, undef, 0.1 } 1 }

my $pcsc;
wait_for(30, sub { $pcsc = Chipcard::PCSC->new() }) or die "pcscd: $Chipcard::PCSC::errno\n";
my @readers;
wait_for(30, sub { @readers = $pcsc->ListReaders(); @readers && defined $readers[0] }) or die "pcscd lists no reader\n";
my ($reader) = @readers;
(@readers == 1 && $reader =~ /Inkan/i) ? ok('pcscd-lists') : no_('pcscd-lists', join(' | ', @readers));

my $card = Chipcard::PCSC::Card->new($pcsc, $reader, $Chipcard::PCSC::SCARD_SHARE_SHARED) or die "connect: $Chipcard::PCSC::errno\n";
my @status = $card->Status();
my $atr = hex_($status[3]);
$atr =~ /^3b/ ? ok('power-on') : no_('power-on', "ATR $atr");

# SELECT of the JPKI application: 9000 says that the card behind the line answered.
sub apdu { my $answer = $card->Transmit([ map { hex } $_[0] =~ /../g ]); return $answer ? hex_($answer) : "error $Chipcard::PCSC::errno" }
my $select = apdu('00a4040c0ad392f000260100000001');
$select eq '9000' ? ok('apdu') : no_('apdu', $select);
my ($count, $rounds) = @ARGV;
my $bad = 0;
for my $number (1 .. $count) {
    # GET CHALLENGE of 1 to 256 octets between SELECTs: every length of an answer.
    my $le = $number % 256;
    my $answer = $number % 4 ? apdu(sprintf '00840000%02x', $le) : apdu('00a4040c0ad392f000260100000001');
    my $length = $number % 4 ? 2 * (($le || 256) + 2) : 4;
    $bad++ if length $answer != $length || $answer !~ /9000$/;
}
$bad == 0 && $count > 0 ? ok('apdus') : no_('apdus', "$bad of $count failed");
my $unknown = apdu('00a4040c0500ff00ff00');
$unknown =~ /^6a8[0-9a-f]$/ ? ok('apdu-refused') : no_('apdu-refused', $unknown);

# PC/SC part 10: FEATURE_VERIFY_PIN_DIRECT; the PIN is typed on the reader's own keys, this program never sees a digit.
my $verify;
sub features { my $features = $card->Control(0x42000000 + 3400, [0]) or return "no features: $Chipcard::PCSC::errno";
    my %control;
    my @tlv = @$features;
    while (@tlv >= 6) { my ($tag, undef, @value) = splice @tlv, 0, 6; $control{$tag} = unpack 'N', pack 'C4', @value }
    $verify = $control{6} or return 'FEATURE_VERIFY_PIN_DIRECT is missing: ' . hex_($features);
    '' }
# Status words of a VERIFY on the pad that waits $seconds for each key.
sub on_pad { my ($seconds) = @_;
    for my $select ('00a4040c0ad392f000260100000001', '00a4020c020018') { my $sw = apdu($select); return "SELECT $sw" if $sw ne '9000' }
    my @block = ($seconds, $seconds, 0x82, 0x00, 0x00, 4, 4, 0x02, 0x01, 0x09, 0x04, 0, 0, 0, 0);
    # VERIFY with an Lc of 00: readers that want one and ours take it; the reader writes the length.
    my @header = (0x00, 0x20, 0x00, 0x80, 0x00);
    my $answer = $card->Control($verify, [ @block, scalar(@header), 0, 0, 0, @header ]);
    $answer ? hex_($answer) : "error $Chipcard::PCSC::errno" }
sub typed { my ($name, $mood, $seconds, $due) = @_; hand("fingers-$mood"); select undef, undef, undef, 0.3;
    my $sw = on_pad($seconds); $sw eq $due ? ok($name) : no_($name, "is $sw, should be $due") }
my $missing = features();
if ($missing) { no_('pin-on-pad', $missing) }
else {
    typed('pin-on-pad', 'right', 30, '9000');
    typed('pin-wrong', 'wrong', 30, '63c2');
    typed('pin-cancel', 'cancel', 30, '6401');
    typed('pin-timeout', 'none', 3, '6400');
    # The counter is as the wrong PIN left it, and the pad works on.
    typed('pin-again', 'right', 30, '9000');
}

# The longest command there is with the longest answer: case 4E, Lc 65535, Le 65536. Another card is in the slot for it: it says all it hears.
sub swap { my ($hand) = @_; $card->Disconnect($Chipcard::PCSC::SCARD_UNPOWER_CARD); hand('remove'); wait_for(20, sub { !present() }) or return 0; hand($hand); wait_for(20, sub { present() }) or return 0;
    my $new = Chipcard::PCSC::Card->new($pcsc, $reader, $Chipcard::PCSC::SCARD_SHARE_SHARED) or return 0; $card = $new; 1 }
if (swap('insert-echo')) {
    my @data = map { ($_ * 7 + ($_ >> 8)) & 0xff } 0 .. 65534;
    my $answer = $card->Transmit([ 0x00, 0xd6, 0, 0, 0, 0xff, 0xff, @data, 0, 0 ]);
    my $length = $answer ? @$answer : 0;
    my $same = $answer && $length == 65537 && join(',', @$answer) eq join(',', @data, 0x90, 0);
    $same ? ok('apdu-64k') : no_('apdu-64k', "$length bytes; $Chipcard::PCSC::errno; " . hex_([ @{ $answer // [] }[0 .. 15] ]));
} else { no_('apdu-64k', "no echo card: $Chipcard::PCSC::errno") }
swap('insert') or no_('apdu-64k', "no standard card after it: $Chipcard::PCSC::errno");

$card->Disconnect($Chipcard::PCSC::SCARD_LEAVE_CARD);
sub present { my @states = ({ reader_name => $reader, current_state => 0 }); $pcsc->GetStatusChange(\@states, 0); ($states[0]{event_state} & $Chipcard::PCSC::SCARD_STATE_PRESENT) ? 1 : 0 }
hand('remove');
my $left = wait_for(20, sub { !present() });
hand('insert');
my $back = wait_for(20, sub { present() });
my $again = $back && Chipcard::PCSC::Card->new($pcsc, $reader, $Chipcard::PCSC::SCARD_SHARE_SHARED);
if ($again) { $card = $again }
$left && $again && apdu('00a4040c0ad392f000260100000001') eq '9000' ? ok('card-goes-and-comes') : no_('card-goes-and-comes', "left $left, back $back, $Chipcard::PCSC::errno");
$card->Disconnect($Chipcard::PCSC::SCARD_LEAVE_CARD);

# The cable: pcscd loses the reader and finds it again, and the card in it answers, every time.
my ($round, $why) = (0, '');
sub listed { my @now = $pcsc->ListReaders(); scalar grep { defined && $_ eq $reader } @now }
while ($round < $rounds) {
    hand('unplug');
    wait_for(20, sub { !listed() }) or do { $why = 'still listed'; last };
    hand('plug');
    wait_for(60, sub { listed() }) or do { $why = 'not listed again'; last };
    wait_for(20, sub { present() }) or do { $why = 'no card'; last };
    $card = Chipcard::PCSC::Card->new($pcsc, $reader, $Chipcard::PCSC::SCARD_SHARE_SHARED) or do { $why = "connect: $Chipcard::PCSC::errno"; last };
    my $answer = apdu('00a4040c0ad392f000260100000001');
    $answer eq '9000' or do { $why = $answer; last };
    $card->Disconnect($Chipcard::PCSC::SCARD_LEAVE_CARD);
    $round++;
}
$round == $rounds && $rounds > 0 ? ok('replug') : no_('replug', "round $round: $why");
print "done\n";
