#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# gzip: what is damaged is refused with its reason, and what only begins like it is no gzip.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires gzip

fill raw 3000000
gzip -c raw >good.gz
size=$(stat -c %s good.gz)
refuses_at() { # OFFSET TEXT: with that byte changed
	python3 - "$1" <<'PY'
import sys
d = bytearray(open("good.gz", "rb").read())
d[int(sys.argv[1])] ^= 0x55
open("bad.gz", "wb").write(d)
PY
	refuses bad.gz "$2"
}
refuses_at $((size - 1)) "another length than its ISIZE"
refuses_at $((size - 5)) "CRC32 is wrong"
head -c $((size / 2)) good.gz >cut.gz
refuses cut.gz "the file ends too early"
head -c $((size - 3)) good.gz >cut.gz
refuses cut.gz "the file ends too early"
gzip -c /dev/null >empty.gz
refuses empty.gz "unpacks to 0 bytes"
# A disk may begin with these bytes: reserved flags, or no deflate data behind a header.
{ printf '\x1f\x8b\x08\xe0'; head -c 8188 /dev/zero; } >disk1
{ printf '\x1f\x8b\x08\0\0\0\0\0\0\3\xff\xff'; head -c 8180 /dev/zero; } >disk2
for disk in disk1 disk2; do
	expect 0 "$PLATTER" info --json "$disk"
	same format "$(json out 'j["image"]["format"]')" raw
	refuses "$disk" "not in gzip format" --format gzip
done
