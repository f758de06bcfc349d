#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is wrong with a qcow (version 1) image is said; damaged and cut off ones hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires gzip python3 qemu-img

fill disk.raw 65536 1
qemu-img convert -f raw -O qcow disk.raw good.qcow || fail "convert"
qemu-img convert -f raw -O qcow -c disk.raw packed.qcow # QEMU 7.2 fails when all is written
expect 0 qemu-img compare -f raw -F qcow disk.raw packed.qcow

# bad TEXT OFFSET BYTES: with these bytes (as printf has them) there, it is refused so.
bad() {
	cp good.qcow bad.qcow
	# shellcheck disable=SC2059
	printf "$3" | poke bad.qcow "$2"
	refuses bad.qcow "$1"
}

bad "encrypted (AES)" 36 '\0\0\0\1'
bad "unknown method 9" 36 '\0\0\0\11'
bad "cluster_bits is 8, expected 9 to 16" 32 '\10'
bad "cluster_bits is 17, expected 9 to 16" 32 '\21'
bad "l2_bits is 5, expected 6 to 13" 33 '\5'
bad "l2_bits is 14, expected 6 to 13" 33 '\16'
bad "L1 table of" 40 '\177\377'
bad "L1 table of" 24 '\177\377'
bad "0 bytes" 24 '\0\0\0\0\0\0\0\0'
bad "name has 4294967295 bytes, at most 1023" 8 '\0\0\0\0\0\0\0\60\377\377\377\377'
bad "name of 100 bytes at 1099511627776 passes" 8 '\0\0\1\0\0\0\0\0\0\0\0\144'
bad "L2 table of" 48 '\0\177'
refuses good.qcow "is not in qcow2 format" --format qcow2

# An L2 table behind what of L1 is looked at before: it would begin so close to 2^64 that its second
# block stood at 3584 in the file.
python3 - <<'E' || fail "writing the image"
import struct
with open("wraps.qcow", "wb") as f:
    f.write(struct.pack(">4sIQIIQBBHIQ", b"QFI\xfb", 1, 0, 0, 0, 131080 << 22, 9, 13, 0, 0, 8192))
    f.seek(3584)
    f.write(struct.pack(">Q", 4096).ljust(512, b"\0") + b"not the disk".ljust(512))
    f.seek(8192 + 8 * 131079)
    f.write(struct.pack(">Q", 2 ** 64 - 512) + bytes(65536))
E
expect 0 "$PLATTER" cat -p 0 -o start=$((131078 << 22)),length=512 wraps.qcow
same "another table" "$(stat -c %s out)" 512
expect 32 "$PLATTER" cat -p 0 -o start=$(((131079 << 22) + 512 * 512)),length=512 wraps.qcow
grep -q 'Input/output error' err || fail "wraps.qcow: another reason"

# The format of the backing file is not recorded: only raw is without doubt.
cp disk.raw raw.img
qemu-img create -q -f qcow -b raw.img -F raw over.qcow 65536 || fail "create"
expect 0 "$PLATTER" info over.qcow
mv good.qcow raw.img
refuses over.qcow 'not record its format, which looks like qcow and is not guessed (the image'\''s own format has no room to record it)'
mv raw.img good.qcow
# Nor is what only wraps a file: whoever wrote the disk's first bytes would decide.
gzip -c disk.raw >raw.img
refuses over.qcow 'looks like gzip and is not guessed'

for image in good packed; do
	hostile qcow $image.qcow 1500
	"$builddir/tests/hostile-format" cut qcow $image.qcow >out
	grep -q ": \([0-9]*\) of \1 lengths refused" out || fail "cut: $(cat out)"
done
