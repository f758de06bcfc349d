#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Plain ISO 9660 names come as recorded, without ";1" and without the dot that an extension-less
# name must end in.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires genisoimage

mkdir -p "$tmp/src/subdir"
echo one >"$tmp/src/readme"
echo two >"$tmp/src/long file name.text"
echo three >"$tmp/src/subdir/a.b"
genisoimage -quiet -o "$tmp/plain.iso" "$tmp/src" 2>"$tmp/log" ||
	fail "genisoimage: $(cat "$tmp/log")"

expect 0 "$PLATTER" ls "$tmp/plain.iso"
sort "$tmp/out" | tr '\n' ' ' | grep -qx 'LONG_FIL.TEX README SUBDIR ' ||
	fail "names: $(cat "$tmp/out")"
expect 0 "$PLATTER" cat "$tmp/plain.iso" README
[ "$(cat "$tmp/out")" = one ] || fail "README holds: $(cat "$tmp/out")"
expect 0 "$PLATTER" cat "$tmp/plain.iso" SUBDIR/A.B
[ "$(cat "$tmp/out")" = three ] || fail "SUBDIR/A.B holds: $(cat "$tmp/out")"
# Another version keeps its number: two of one file must not have one name.
LC_ALL=C sed 's/README\.;1/README.;2/' "$tmp/plain.iso" >"$tmp/version.iso"
expect 0 "$PLATTER" cat "$tmp/version.iso" 'README.;2'
[ "$(cat "$tmp/out")" = one ] || fail "README.;2 holds: $(cat "$tmp/out")"
