#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ECM files: sectors of every mode and form, with and without their headers, sound ones and some
# that had to be kept whole, are the same disk; a file without sectors is that file. What is broken
# is refused with the reason, cut off at any length; a sector that was not looked at when the image
# was opened, and is not where it should be, is a read error. Opening reads little of a large disc.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires_fuse
requires xorriso python3

small_iso disc.iso
py <<'PY'
import cdimage as cd
iso = cd.read("disc.iso")
m1, m2, mixed = cd.raw(iso), cd.raw(iso, "mode2"), cd.raw(iso, "mixed")
cd.ecm("mode1.ecm", m1)
cd.ecm("mode2.ecm", m2)
cd.ecm("mixed.ecm", mixed)
cd.ecm("bare.ecm", [s[16:] for s in mixed])
# Sectors whose codes are wrong are kept whole: at the start, alone, in a row, at the end.
for name, all in (("kept1", list(m1)), ("kept2", list(m2))):
    for i in (0, 1, 2, 50, 80, 81, len(all) - 1):
        all[i] = all[i][:-1] + b"\xee"
    parts = []
    for s in all:
        parts += [s] if s[-1] != 0xee else [s[:1176], s[1176:]]
    cd.ecm(name + ".ecm", parts)
cd.ecm("ragged.ecm", m1 + [b"less than a sector"])
cd.ecm("file.ecm", [iso])

good = cd.read("mode1.ecm")
cd.write("nothing.ecm", b"ECM\0", cd.ecm_record(0, 0, True), bytes(4))
cd.write("nocheck.ecm", good[:-4])
cd.write("noend.ecm", good[:-9])
cd.write("count.ecm", b"ECM\0" + b"\x81" + b"\xff" * 8)
cd.write("long.ecm", b"ECM\0" + cd.ecm_record(1, 0x80000000) + bytes(5000))
cd.ecm("step.ecm", [b"123", m1[0]])
cd.ecm("step2.ecm", [m1[0], b"123", m1[1]])
cd.ecm("small.ecm", m2[:30] + mixed[40:50] + [m1[0][:100], m1[0][100:], b"rest"])

# 300 MiB in one stretch, with one record in the middle that is not what it should be.
with open("large.ecm", "wb") as f:
    f.write(b"ECM\0")
    for i in range(150000):
        f.write((b"\x38" if i == 100003 else b"\x3c") + cd.SYNC + cd.header(i, 2))
        f.write(b"\x02\0\0\x08\0%2048d" % i)
    f.write(cd.ecm_record(0, 0, True) + bytes(4))
PY
for image in mode1 mode2 mixed bare kept1 kept2 ragged file; do
	same_disk $image.ecm disc.iso
done
mkdir mnt
mount_image mixed.ecm mnt
diff -r mnt iso-source || fail "the files of mixed.ecm"
detach mnt

refuses nothing.ecm 'holds nothing'
refuses nocheck.ecm 'ends within a record'
refuses noend.ecm 'ends within a record'
refuses count.ecm 'has a count of too many bytes'
refuses long.ecm 'has a count of 2147483648, at most 2147483647'
refuses step.ecm 'is out of step with sectors of 2352 bytes'
refuses step2.ecm 'is out of step with sectors of 2352 bytes'

attach large.ecm mnt
same "the size" "$(stat -c %s mnt/disk)" $((150000 * 2048))
same "the last sector" "$(peek mnt/disk $((149999 * 2048)) 2048 | tr -d ' ')" 149999
same "a sector" "$(peek mnt/disk $((77777 * 2048)) 2048 | tr -d ' ')" 77777
! peek mnt/disk $((100003 * 2048)) 2048 >/dev/null 2>&1 || fail "a damaged record is read"
same "behind it" "$(peek mnt/disk $((100100 * 2048)) 2048 | tr -d ' ')" 100100
detach mnt
if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -qq -f -o calls -e trace=pread64 \
		"$PLATTER" info large.ecm >/dev/null 2>&1
	[ "$(wc -l <calls)" -lt 500 ] || fail "$(wc -l <calls) reads to open it"
fi
hostile ecm small.ecm
