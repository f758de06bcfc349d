#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xz: damage is refused with its reason, at open or where it is read.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires xz
xz -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 2000000
xz -1 --block-size=500000 -c raw >good.xz
size=$(stat -c %s good.xz)
change() { # OFFSET
	python3 - "$1" <<'PY'
import sys
d = bytearray(open("good.xz", "rb").read())
d[int(sys.argv[1])] ^= 0x55
open("bad.xz", "wb").write(d)
PY
}
change 7
refuses bad.xz "stream header at 0: damaged"
change 13
refuses bad.xz "first block at 12: damaged"
change $((size - 5))
refuses bad.xz "stream footer at $((size - 12)): damaged"
change $((size - 20))
refuses bad.xz "index of blocks at"
head -c $((size / 8 * 4)) good.xz >cut.xz
refuses cut.xz "may be truncated"
head -c $((size - 1)) good.xz >cut.xz
refuses cut.xz "expected a multiple of 4"
xz -c /dev/null >empty.xz
refuses empty.xz "unpacks to 0 bytes"
xz --lzma2=preset=0,dict=1GiB -c raw >dict.xz
refuses dict.xz "takes 1024 MiB of memory, at most 144 MiB"
# Inside a block only reading can tell; never other bytes.
change $((size / 2))
expect 32 "$PLATTER" cat -p 0 bad.xz
