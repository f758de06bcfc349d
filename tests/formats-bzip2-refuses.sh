#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bzip2: damage is refused with its reason.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires bzip2
bzip2 -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 2500000
bzip2 -c raw >good.bz2
size=$(stat -c %s good.bz2)
change() { # OFFSET
	python3 - "$1" <<'PY'
import sys
d = bytearray(open("good.bz2", "rb").read())
d[int(sys.argv[1])] ^= 0x55
open("bad.bz2", "wb").write(d)
PY
}
change 12 # the first block's checksum
refuses bad.bz2 "a block is damaged"
change $((size / 2))
refuses bad.bz2 "a block is damaged"
change $((size - 3)) # the stream's
refuses bad.bz2 "a stream's checksum is wrong"
head -c $((size / 2)) good.bz2 >cut.bz2
refuses cut.bz2 "the file ends too early"
head -c $((size - 1)) good.bz2 >cut.bz2
refuses cut.bz2 "the file ends too early"
bzip2 -c /dev/null >empty.bz2
refuses empty.bz2 "unpacks to 0 bytes"
