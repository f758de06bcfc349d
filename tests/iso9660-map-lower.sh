#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# -o map=lower shows plain names in lower case, as the Linux driver does, and leaves those of
# Rock Ridge and Joliet alone.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires genisoimage

mkdir -p "$tmp/src/SubDir"
echo one >"$tmp/src/SubDir/Read.Me"
genisoimage -quiet -R -J -o "$tmp/all.iso" "$tmp/src" 2>"$tmp/log" ||
	fail "genisoimage: $(cat "$tmp/log")"

for tree in rr:SubDir/Read.Me joliet:SubDir/Read.Me plain:subdir/read.me; do
	expect 0 "$PLATTER" cat -o "map=lower,tree=${tree%%:*}" "$tmp/all.iso" "${tree#*:}"
	[ "$(cat "$tmp/out")" = one ] || fail "$tree holds: $(cat "$tmp/out")"
done
expect 0 "$PLATTER" ls -o map=lower,tree=plain "$tmp/all.iso"
[ "$(cat "$tmp/out")" = subdir ] || fail "names: $(cat "$tmp/out")"
expect 32 "$PLATTER" cat -o map=lower,tree=plain "$tmp/all.iso" SUBDIR/READ.ME
