#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Interleaved files, and those with flags that no standard knows, are listed but not read. What
# is associated with a file is not listed.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires genisoimage

mkdir "$tmp/src"
echo file >"$tmp/src/file"
echo other >"$tmp/src/other"
genisoimage -quiet -o "$tmp/good.iso" "$tmp/src" 2>"$tmp/log" || fail "$(cat "$tmp/log")"
record=$(($(LC_ALL=C grep -abo 'FILE\.;1' "$tmp/good.iso" | cut -d: -f1) - 33))

# with OFFSET BYTE: the file's record with another byte.
with()
{
	cp "$tmp/good.iso" "$tmp/bad.iso"
	printf "$2" | dd of="$tmp/bad.iso" bs=1 seek=$((record + $1)) conv=notrunc status=none
	expect 0 "$PLATTER" ls "$tmp/bad.iso"
}

refused()
{
	with "$@"
	[ "$(tr '\n' ' ' <"$tmp/out")" = 'FILE OTHER ' ] || fail "listing: $(cat "$tmp/out")"
	expect 32 "$PLATTER" cat "$tmp/bad.iso" FILE
	[ ! -s "$tmp/out" ] || fail "FILE holds: $(cat "$tmp/out")"
	grep -qi 'not supported' "$tmp/err" || fail "message: $(cat "$tmp/err")"
	expect 0 "$PLATTER" cat "$tmp/bad.iso" OTHER
	[ "$(cat "$tmp/out")" = other ] || fail "OTHER holds: $(cat "$tmp/out")"
}

refused 26 '\001' # File Unit Size
refused 27 '\002' # Interleave Gap Size
refused 25 '\040' # File Flags
refused 25 '\100'
with 25 '\001' # Existence: hidden from a DIR command, but a file
[ "$(tr '\n' ' ' <"$tmp/out")" = 'FILE OTHER ' ] || fail "listing: $(cat "$tmp/out")"
with 25 '\004' # Associated File
[ "$(tr '\n' ' ' <"$tmp/out")" = 'OTHER ' ] || fail "listing: $(cat "$tmp/out")"
