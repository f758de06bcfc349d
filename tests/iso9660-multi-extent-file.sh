#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A file of 4.5 GiB, which takes two extents with a directory record each, is one file with all
# of its bytes. The image is kept sparse.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires xorriso truncate cmp

size=$((4608 << 20))
mkdir "$tmp/src"
truncate -s $size "$tmp/src/big"
# Marks at both ends and across where the first extent ends, somewhere in the last blocks below
# 4 GiB.
echo begin | dd of="$tmp/src/big" conv=notrunc status=none
seq 1 1500000 | dd of="$tmp/src/big" bs=1M seek=4090 conv=notrunc status=none
echo end | dd of="$tmp/src/big" bs=1 seek=$((size - 4)) conv=notrunc status=none
echo after >"$tmp/src/zz"

xorriso -as mkisofs -quiet -iso-level 3 -R -J -o - "$tmp/src" 2>"$tmp/log" |
	dd of="$tmp/big.iso" bs=1M conv=sparse iflag=fullblock status=none ||
	fail "xorriso: $(cat "$tmp/log")"

for tree in rr joliet plain; do
	name=big other=zz
	[ $tree != plain ] || name=BIG other=ZZ
	expect 0 "$PLATTER" ls -o tree=$tree "$tmp/big.iso"
	[ "$(wc -l <"$tmp/out")" = 2 ] || fail "$tree: listing: $(cat "$tmp/out")"
	expect 0 "$PLATTER" ls -l -o tree=$tree "$tmp/big.iso" "$name"
	grep -q "[ 	]${size}[ 	]" "$tmp/out" || fail "$tree: size: $(cat "$tmp/out")"
	expect 0 "$PLATTER" cat -o tree=$tree "$tmp/big.iso" "$other"
	[ "$(cat "$tmp/out")" = after ] || fail "$tree: $other holds: $(cat "$tmp/out")"
done
# cp leaves out the holes, of which there are 4.5 GiB less these marks.
expect 0 "$PLATTER" cp "$tmp/big.iso" big "$tmp/copy"
cmp "$tmp/copy" "$tmp/src/big" || fail "the bytes differ"
