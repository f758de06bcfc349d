#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A disc that ends too early: what is there can be read, reading on is an error and never zeros,
# and one without its root directory is refused.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires genisoimage cmp

mkdir "$tmp/src"
echo small >"$tmp/src/aa"
{ echo BEGIN-OF-BIG; head -c 1000000 /dev/urandom; } >"$tmp/src/big"
head -c 100000 /dev/urandom >"$tmp/src/gone"
genisoimage -quiet -R -J -o "$tmp/whole.iso" "$tmp/src" 2>"$tmp/log" || fail "$(cat "$tmp/log")"
start=$(LC_ALL=C grep -abo BEGIN-OF-BIG "$tmp/whole.iso" | cut -d: -f1)

head -c $((start + 500001)) "$tmp/whole.iso" >"$tmp/cut.iso"
expect 0 "$PLATTER" ls "$tmp/cut.iso"
[ "$(tr '\n' ' ' <"$tmp/out")" = 'aa big gone ' ] || fail "listing: $(cat "$tmp/out")"
expect 0 "$PLATTER" cat "$tmp/cut.iso" aa
[ "$(cat "$tmp/out")" = small ] || fail "aa holds: $(cat "$tmp/out")"
expect 32 "$PLATTER" cat "$tmp/cut.iso" big
[ "$(stat -c %s "$tmp/out")" -le 500001 ] || fail "bytes past the end of the image"
cmp -n "$(stat -c %s "$tmp/out")" "$tmp/out" "$tmp/src/big" || fail "other bytes than big's"
grep -q . "$tmp/err" || fail "no message"
expect 32 "$PLATTER" cat "$tmp/cut.iso" gone
[ ! -s "$tmp/out" ] || fail "gone holds $(stat -c %s "$tmp/out") bytes"

# Only the descriptors, then less than those.
for size in $((20 * 2048)) $((17 * 2048)); do
	head -c $size "$tmp/whole.iso" >"$tmp/head.iso"
	expect 32 "$PLATTER" ls "$tmp/head.iso"
	grep -q . "$tmp/err" || fail "$size bytes: no message"
done
