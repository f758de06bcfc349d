#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lz4: what is served is what was packed: every size of block, dependent and independent blocks, with
# and without checksums and sizes, legacy frames, several frames with skippable ones between them.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires lz4
lz4 -q -c <"$srcdir/COPYING" >library && requires_library library

fill raw 10000001
for how in -B4 -B5 -B6 -B7 "-B4 -BD" "-B7 -BD" "-B4 -BX --no-frame-crc" "-B4 --content-size" "-BD --content-size" "-B65 -BX --content-size" -l; do
	# shellcheck disable=SC2086
	lz4 -q -c $how raw >"a${how// /}.lz4" || fail "lz4 $how"
done
{
	head -c 3000000 raw | lz4 -q -c -BD
	printf '\x53\x2a\x4d\x18\x05\0\0\0abcde'
	tail -c +3000001 raw | head -c 4000000 | lz4 -q -c -l
	tail -c +7000001 raw | lz4 -q -c -B4
} >frames.lz4
for image in a*.lz4 frames.lz4; do
	lz4 -q -d -c "$image" | cmp - raw || fail "$image: not what was packed"
	same_backwards "./$image" raw
done
