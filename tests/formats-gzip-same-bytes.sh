#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# gzip: what is served is what zcat gives: one member and several, each level, stored blocks, names
# and comments in the header, padding behind, a qcow2-less raw disk with holes; from the front, from
# the back, and again with the index that the first time left.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires gzip

fill raw 12345678
gzip -1 -c raw >fast.gz
gzip -9 -c raw >best.gz
{ head -c 5000000 raw | gzip -c; printf '' | gzip -c; tail -c +5000001 raw | gzip -c; } >members.gz
{ cat fast.gz; head -c 10000 /dev/zero; } >padded.gz
# Every field of RFC 1952 section 2.3.1, and stored blocks only.
python3 - raw fields.gz <<'PY'
import struct, sys, zlib
raw = open(sys.argv[1], "rb").read()
head = b"\x1f\x8b\x08\x1f" + bytes(4) + b"\0\3" + struct.pack("<H", 5) + b"xx\1\0\0" + b"name\0" + b"a comment\0"
c = zlib.compressobj(0, zlib.DEFLATED, -15)
open(sys.argv[2], "wb").write(head + struct.pack("<H", zlib.crc32(head) & 0xffff) + c.compress(raw) + c.flush() +
                              struct.pack("<II", zlib.crc32(raw), len(raw)))
PY
for image in fast.gz best.gz members.gz padded.gz fields.gz; do
	zcat "$image" 2>/dev/null | cmp - raw || fail "$image: not what was packed"
	same_disk "$image" raw
	same_backwards "$image" raw
done
expect 0 "$PLATTER" info --json fast.gz
same format "$(json out 'j["image"]["format"]')" gzip
# Holes are seen in the pass, and kept with the index.
truncate -s 20M holes
printf end | dd of=holes bs=1 seek=20000000 conv=notrunc status=none
gzip -c holes >holes.gz
mkdir mnt
for _ in 1 2; do
	attach holes.gz mnt
	same "first data" "$(python3 -c 'import os; print(os.lseek(os.open("mnt/disk", 0), 0, os.SEEK_DATA))')" $((20000000 / 262144 * 262144))
	detach mnt
done
