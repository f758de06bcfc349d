#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A directory whose records are damaged, or that lies nowhere, is an error: never a listing that
# looks whole, and never an empty one. The rest of the disc is not touched by that.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires genisoimage

mkdir -p "$tmp/src/subdir"
echo one >"$tmp/src/subdir/first"
echo two >"$tmp/src/subdir/second"
echo top >"$tmp/src/top"
genisoimage -quiet -o "$tmp/good.iso" "$tmp/src" 2>"$tmp/log" || fail "$(cat "$tmp/log")"

record() { echo $(($(LC_ALL=C grep -abo "$1" "$tmp/good.iso" | tail -1 | cut -d: -f1) - 33)); }
number() { od -An -t u4 -j "$1" -N 4 --endian=little "$tmp/good.iso" | tr -d ' '; }
dir=$(record SUBDIR)
start=$(($(number $((dir + 2))) * 2048))

# broken WHAT OFFSET BYTES: with BYTES (for printf) at OFFSET.
broken()
{
	cp "$tmp/good.iso" "$tmp/bad.iso"
	printf "$3" | dd of="$tmp/bad.iso" bs=1 seek="$2" conv=notrunc status=none
	expect 32 "$PLATTER" ls "$tmp/bad.iso" SUBDIR
	grep -qi 'input/output error' "$tmp/err" || fail "$1: message: $(cat "$tmp/err")"
	cp "$tmp/out" "$tmp/listing"
	# A name in such a directory is not said to be missing.
	expect 32 "$PLATTER" cat "$tmp/bad.iso" SUBDIR/NONE
	grep -qi 'input/output error' "$tmp/err" || fail "$1, NONE: message: $(cat "$tmp/err")"
	expect 0 "$PLATTER" cat "$tmp/bad.iso" TOP
	[ "$(cat "$tmp/out")" = top ] || fail "$1: TOP holds: $(cat "$tmp/out")"
}

broken 'record too short' "$(record SECOND)" '\024'
grep -qx FIRST "$tmp/listing" || fail "FIRST is not listed beside a broken record"
broken 'name past the record' $(($(record SECOND) + 32)) '\377'
broken 'name of no length' $(($(record SECOND) + 32)) '\000'
broken 'extent past the end' $((dir + 2)) '\000\000\000\100'
broken 'size of nothing' $((dir + 10)) '\000\000\000\000'
broken 'size of 2 GiB' $((dir + 10)) '\000\000\000\200'
cp "$tmp/good.iso" "$tmp/zeros.iso"
dd if=/dev/zero of="$tmp/zeros.iso" bs=2048 seek=$((start / 2048)) count=1 conv=notrunc status=none
expect 32 "$PLATTER" ls "$tmp/zeros.iso" SUBDIR
