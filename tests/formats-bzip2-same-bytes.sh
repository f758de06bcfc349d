#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bzip2: what is served is what was packed, by bzip2 with blocks of each size, by pbzip2 with many
# streams, and with what bzip2 ignores behind the end; zeros, of which one block holds 45 MB.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires bzip2
bzip2 -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 4000001
bzip2 -1 -c raw >1.bz2
bzip2 -9 -c raw >9.bz2
{ cat 9.bz2; echo "no stream"; } >behind.bz2
images=(1.bz2 9.bz2 behind.bz2)
if command -v pbzip2 >/dev/null; then
	pbzip2 -b2 -p2 -c raw >streams.bz2
	images+=(streams.bz2)
fi
for image in "${images[@]}"; do
	same_disk "$image" raw
	same_backwards "$image" raw
done
truncate -s 60M zeros
printf end | dd of=zeros bs=1 seek=50000000 conv=notrunc status=none
bzip2 -c zeros >zeros.bz2
same_disk zeros.bz2 zeros

# Nothing that repeats: every block is full, and its end is read long after its beginning.
head -c 3145728 /dev/urandom >random
for level in 1 2 5 9; do
	bzip2 -$level -c random >random.bz2
	expect 0 "$PLATTER" cat -p 0 random.bz2
	same_bytes out random
	same_disk random.bz2 random
done
for size in 1 899981 900000 1048577 2000003; do
	head -c $size random >part
	bzip2 -c part >part.bz2
	expect 0 "$PLATTER" cat -p 0 part.bz2
	same_bytes out part
done

# The magics behind the end of a stream begin nothing.
head -c 500000 raw >magic.raw
{ bzip2 -c magic.raw; printf '1AY&SY1AY&SY1AY&SY'; } >magic.bz2
same_disk magic.bz2 magic.raw
