#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A continuation area that continues in itself ends in an error for the file that it belongs to,
# at once, and the other files are there.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires genisoimage od timeout

mkdir "$tmp/src"
echo good >"$tmp/src/good"
echo bad >"$tmp/src/$(printf 'n%.0s' $(seq 250))"
genisoimage -quiet -R -o "$tmp/loop.iso" "$tmp/src" 2>"$tmp/log" || fail "$(cat "$tmp/log")"

# The name's first part, and behind it in the same record the CE entry (28 bytes: signature,
# length, version, then block, offset and length in both byte orders).
name=$(LC_ALL=C grep -abo 'NM.*nnnn' "$tmp/loop.iso" | head -1 | cut -d: -f1)
at=$(tail -c +$((name + 1)) "$tmp/loop.iso" | LC_ALL=C grep -abo $'CE\x1c\x01' | head -1 |
	cut -d: -f1)
entry=$((name + at))
number() { od -An -t u4 -j $((entry + $1)) -N 4 --endian=little "$tmp/loop.iso" | tr -d ' '; }
area=$(($(number 4) * 2048 + $(number 12)))
[ "$(number 20)" -ge 28 ] || fail "the continuation area has $(number 20) bytes"
dd if="$tmp/loop.iso" of="$tmp/entry" bs=1 skip=$entry count=28 status=none
dd if="$tmp/entry" of="$tmp/loop.iso" bs=1 seek=$area conv=notrunc status=none

expect 32 timeout 10 "$PLATTER" ls -l "$tmp/loop.iso"
grep -q ' good$' "$tmp/out" || fail "listing: $(cat "$tmp/out")"
grep -q . "$tmp/err" || fail "no message"
expect 0 timeout 10 "$PLATTER" cat "$tmp/loop.iso" good
[ "$(cat "$tmp/out")" = good ] || fail "good holds: $(cat "$tmp/out")"
# Whether this name is there cannot be told.
expect 32 timeout 10 "$PLATTER" cat "$tmp/loop.iso" "$(printf 'n%.0s' $(seq 250))"
grep -qi 'input/output error' "$tmp/err" || fail "message: $(cat "$tmp/err")"
# The plain tree does not look there.
expect 0 timeout 10 "$PLATTER" ls -o tree=plain "$tmp/loop.iso"
