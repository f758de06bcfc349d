#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A directory that contains one of those that it lies in: walks over the tree come to an end, with
# an error, and show what is there.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires genisoimage timeout

mkdir -p "$tmp/src/upper/middle/lower"
echo file >"$tmp/src/upper/middle/lower/file"
echo other >"$tmp/src/upper/other"
genisoimage -quiet -o "$tmp/plain.iso" "$tmp/src" 2>"$tmp/log" || fail "$(cat "$tmp/log")"

# The offset of a file's or directory's record: 33 bytes before its name.
record() { echo $(($(LC_ALL=C grep -abo "$1" "$tmp/plain.iso" | tail -1 | cut -d: -f1) - 33)); }

# loop TO BYTES: "lower" is what the 16 bytes (place and size) at TO say.
loop()
{
	cp "$tmp/plain.iso" "$tmp/loop.iso"
	dd if="$tmp/plain.iso" of="$tmp/loop.iso" bs=1 skip=$(($1 + 2)) \
		seek=$(($(record LOWER) + 2)) count=16 conv=notrunc status=none
	expect 32 timeout 20 "$PLATTER" ls -R "$tmp/loop.iso"
	grep -qx OTHER "$tmp/out" || fail "listing: $(cat "$tmp/out")"
	[ "$(wc -l <"$tmp/out")" -lt 100 ] || fail "the listing has $(wc -l <"$tmp/out") lines"
	expect 32 timeout 20 "$PLATTER" cp -r "$tmp/loop.iso" UPPER "$tmp/copy"
	[ "$(cat "$tmp/copy/OTHER")" = other ] || fail "OTHER was not copied"
	chmod -R u+w "$tmp/copy"
	rm -rf "$tmp/copy"
}

loop "$(record UPPER)"
loop "$(record MIDDLE)"
loop $((16 * 2048 + 156)) # the root
