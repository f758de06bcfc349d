#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bzip2: what is served is what was packed, by bzip2 with blocks of each size, by pbzip2 with many
# streams, and with what bzip2 ignores behind the end; zeros, of which one block holds 45 MB.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires bzip2 pbzip2
bzip2 -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 4000001
bzip2 -1 -c raw >1.bz2
bzip2 -9 -c raw >9.bz2
pbzip2 -b2 -p2 -c raw >streams.bz2
{ cat 9.bz2; echo "no stream"; } >behind.bz2
for image in 1.bz2 9.bz2 streams.bz2 behind.bz2; do
	same_disk "$image" raw
	same_backwards "$image" raw
done
truncate -s 60M zeros
printf end | dd of=zeros bs=1 seek=50000000 conv=notrunc status=none
bzip2 -c zeros >zeros.bz2
same_disk zeros.bz2 zeros

# The magic of a block inside a block is no block.
python3 - <<'PY'
import bz2, random
# Fixed seeds find nothing in 2^48 bits: so the magic is put where bits are free to choose, behind
# the end of a stream, where only a scan would see it.
d = bz2.compress(open("raw", "rb").read()[:500000], 9)
open("magic.bz2", "wb").write(d + b"\x31\x41\x59\x26\x53\x59" * 3)
open("magic.raw", "wb").write(open("raw", "rb").read()[:500000])
PY
same_disk magic.bz2 magic.raw
