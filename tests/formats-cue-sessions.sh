#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Cue sheets of discs of several sessions: every session's data stands at its address on the disc,
# so that the last session shows with what it took over from the first. One disc tells by REM
# SESSION, one by the headers of its sectors alone; a disc whose first session is audio (CD Extra)
# shows its data session. isoinfo finds the same there.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires_fuse
requires genisoimage isoinfo python3

mkdir 1 2
head -c 100000 /dev/urandom >1/first
echo old >1/changing
head -c 60000 /dev/urandom >2/second
echo newer >2/changing
genisoimage -quiet -R -o s1.iso 1 2>log || fail "$(cat log)"
n=$(($(stat -c %s s1.iso) / 2048))
second=$((n + 11400))
truncate -s $((second * 2048)) grown.iso
dd if=s1.iso of=grown.iso conv=notrunc status=none
genisoimage -quiet -R -C 0,$second -M grown.iso -o s2.iso 2 2>log || fail "$(cat log)"
cat s2.iso >>grown.iso
mkdir 3
echo alone >3/alone
genisoimage -quiet -R -C 0,11600 -o extra.iso 3 2>log || fail "$(cat log)"
export n second
py <<'PY'
import os
import cdimage as cd
n, second = int(os.environ["n"]), int(os.environ["second"])
s1, s2, extra = cd.read("s1.iso"), cd.read("s2.iso"), cd.read("extra.iso")
cd.write("raw.bin", *cd.raw(s1), *cd.raw(s2, "mode1", second))
time = "%02d:%02d:%02d" % cd.msf(n)
for name, remark in (("stated", ""), ("said", "REM SESSION 02\n")):
    with open(name + ".cue", "w") as f:
        f.write(f'''REM SESSION 01
FILE "raw.bin" BINARY
TRACK 01 MODE1/2352
INDEX 01 00:00:00
{remark}TRACK 02 MODE1/2352
INDEX 01 {time}
''')
cd.write("cooked.bin", s1, s2)
with open("cooked.cue", "w") as f:
    f.write(f'''FILE "cooked.bin" BINARY
TRACK 01 MODE1/2048
INDEX 01 00:00:00
REM SESSION 02
TRACK 02 MODE1/2048
INDEX 01 {time}
''')
cd.write("extra.bin", cd.noise(2352 * 200), extra)
with open("extra.cue", "w") as f:
    f.write('''FILE "extra.bin" BINARY
TRACK 01 AUDIO
INDEX 01 00:00:00
REM SESSION 02
TRACK 02 MODE2/2048
INDEX 01 00:02:50
''')
PY
for cue in stated said cooked; do
	same_disk $cue.cue grown.iso
	same_tracks $cue.cue s1.iso s2.iso
	expect 0 "$PLATTER" cp -r $cue.cue / copy
	same_bytes copy/first 1/first
	same_bytes copy/second 2/second
	same_bytes copy/changing 2/changing
	rm -r copy
	expect 0 "$PLATTER" cat -o session=1 $cue.cue changing
	same_bytes out 1/changing
done
expect 0 "$PLATTER" cat extra.cue alone
same_bytes out 3/alone
mkdir mnt
attach extra.cue mnt
isoinfo -i mnt/disk -R -x /alone >got 2>log || fail "isoinfo: $(cat log)"
same_bytes got 3/alone
same "where the data stands" "$(peek mnt/disk $(((11600 + 16) * 2048 + 1)) 5)" CD001
detach mnt
