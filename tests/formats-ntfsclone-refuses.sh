#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ntfsclone's images that are broken, of the metadata alone, or of another version are refused with
# the reason.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires mkntfs ntfsclone

truncate -s 4M ntfs
mkntfs -q -F -f -c 4096 ntfs >/dev/null 2>&1 || fail "mkntfs"
ntfsclone -f --save-image -O good ntfs >log 2>&1 || fail "ntfsclone: $(tail -3 log)"
change() { # AT HEX
	python3 - "$@" <<'PY'
import sys
d = bytearray(open("good", "rb").read())
at, new = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
d[at:at + len(new)] = new
open("bad", "wb").write(d)
PY
}
change 16 09
refuses bad "version 9.1, expected 10.x"
change 18 ff0f0000
refuses bad "clusters of 4095 bytes"
change 22 0000000000000000
refuses bad "on a disk of 0 bytes"
change 30 ffffffffffffffff
refuses bad "18446744073709551615 clusters of 4096 bytes"
change 46 ffffffff
refuses bad "data at 4294967295"
change 56 02
refuses bad "command at 56: 2, expected 0 or 1"
change 56 000000000000000000
refuses bad "a gap of 0 clusters"
change 56 00ffffffffffffff00
refuses bad "a gap of 72057594037927935 clusters"
size=$(stat -c %s good)
head -c $((size / 2)) good >cut.img
refuses cut.img "the file ends in cluster"
head -c 60 good >cut.img
refuses cut.img "the file ends in cluster 0"
head -c 56 good >cut.img
refuses cut.img "the file ends behind cluster 0"
head -c 40 good >cut.img
refuses cut.img "40 bytes, expected a header of 50"
change 56 00ffffffffffffffff
refuses bad "an image of the metadata alone"
