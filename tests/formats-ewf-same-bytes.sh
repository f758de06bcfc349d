#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# E01 and S01 images as ewfacquire makes them for every program that it knows, in all compressions,
# chunk sizes and numbers of segments, are the disk that they were made of.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
requires ewfacquire ewfexport python3
requires_fuse

fill disk.raw 3000320

# make NAME SUFFIX OPTION...
make() {
	local name=$1 suffix=$2

	shift 2
	ewfacquire -u -q "$@" -t "$name" disk.raw >log 2>&1 || fail "ewfacquire $*: $(cat log)"
	same_disk "$name.$suffix" disk.raw
}

for program in ewf:e01 smart:s01 ftk:E01 encase2:E01 encase4:E01 encase5:E01 encase6:E01 \
	linen5:E01 linen6:E01 ewfx:e01; do
	make "${program%:*}" "${program#*:}" -f "${program%:*}" -c deflate:fast
done
make none E01 -f encase6 -c none
make empty E01 -f encase6 -c deflate:empty-block -b 16
make large E01 -f encase5 -c deflate:best -b 4096
make few E01 -f encase6 -c none -S 1048576
[ -e few.E03 ] || fail "one segment is not several"
make smart-few s01 -f smart -c none -S 1048576
[ -e smart-few.s03 ] || fail "one segment is not several"

# Chunks that are larger than what is unpacked at once, full of what does not get smaller too (SMART packs
# all the same), over their pieces' borders.
fill disk.raw 20971520
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(6 << 20))' |
	poke disk.raw 13000000
make large-8M E01 -f encase6 -c deflate:fast -b 16384
make large-4M s01 -f smart -c none -b 8192
make large-16M s01 -f smart -c none -b 32768
fill disk.raw 3000320

# What ewfacquire made is what ewfexport makes of it.
ewfexport -u -q -f raw -t back few.E01 >log 2>&1 || fail "ewfexport: $(cat log)"
same_bytes back.raw disk.raw

# Bytes are where they are, whichever of them are asked for first.
expect 0 "$PLATTER" info few.E01
grep -q 'ewf, .*3000320 bytes' out || fail "info: $(cat out)"
