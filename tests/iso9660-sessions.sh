#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Discs of several sessions: the last one shows by default, session=N any other. One disc made
# the write-once way (genisoimage -C -M, sessions appended), one the overwritable way (xorriso,
# which keeps a copy of the newest session's descriptors at the start).
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires genisoimage xorriso

mkdir "$tmp/1" "$tmp/2" "$tmp/3"
head -c 300000 /dev/urandom >"$tmp/1/first"
echo old >"$tmp/1/changing"
head -c 100000 /dev/urandom >"$tmp/2/second"
echo newer >"$tmp/2/changing"
echo newest >"$tmp/3/changing"

names()
{
	expect 0 "$PLATTER" ls ${2:+-o session=$2} "$1"
	[ "$(sort "$tmp/out" | tr '\n' ' ')" = "$3" ] ||
		fail "$1: session ${2:-by default} holds $(cat "$tmp/out")"
	expect 0 "$PLATTER" cat ${2:+-o session=$2} "$1" changing
	[ "$(cat "$tmp/out")" = "$4" ] ||
		fail "$1: changing in session ${2:-by default}: $(cat "$tmp/out")"
}

check()
{
	names "$1" 1 'changing first ' old
	names "$1" 2 'changing first second ' newer
	names "$1" 3 'changing first second ' newest
	names "$1" '' 'changing first second ' newest
	for n in 1 2 3; do
		expect 0 "$PLATTER" cat -o session=$n "$1" first
		cmp "$tmp/out" "$tmp/1/first" || fail "$1: first differs in session $n"
	done
	expect 0 "$PLATTER" cat "$1" second
	cmp "$tmp/out" "$tmp/2/second" || fail "$1: second differs"
	expect 32 "$PLATTER" ls -o session=4 "$1"
	grep -q 'session 4.* 3' "$tmp/err" || fail "$1: message: $(cat "$tmp/err")"
}

grow()
{
	local disc=$1 last=0 next
	shift
	genisoimage -quiet "$@" -R -o "$disc" "$tmp/1" 2>"$tmp/log" || fail "$(cat "$tmp/log")"
	for n in 2 3; do
		next=$(($(stat -c %s "$disc") / 2048))
		genisoimage -quiet "$@" -R -C $last,$next -M "$disc" "$tmp/$n" \
			>"$tmp/session" 2>"$tmp/log" || fail "$(cat "$tmp/log")"
		cat "$tmp/session" >>"$disc"
		last=$next
	done
}

grow "$tmp/once.iso"
check "$tmp/once.iso"
# 150 sectors of padding that the volume's size does not count.
grow "$tmp/joliet.iso" -J -pad
check "$tmp/joliet.iso"
for tree in joliet plain; do
	name=changing
	[ $tree = joliet ] || name=CHANGING
	expect 0 "$PLATTER" cat -o session=2,tree=$tree "$tmp/joliet.iso" $name
	[ "$(cat "$tmp/out")" = newer ] || fail "tree $tree of session 2: $(cat "$tmp/out")"
done

for n in 1 2 3; do
	xorriso -dev "$tmp/overwritten.iso" -overwrite on -map "$tmp/$n" / -commit \
		>"$tmp/log" 2>&1 || fail "xorriso: $(cat "$tmp/log")"
done
check "$tmp/overwritten.iso"

# The image of a disc that is a file on another disc is no session of that one.
genisoimage -quiet -R -o "$tmp/inner.iso" "$tmp/1" 2>"$tmp/log" || fail "$(cat "$tmp/log")"
genisoimage -quiet -R -no-pad -o "$tmp/outer.iso" "$tmp/2" 2>"$tmp/log" || fail "$(cat "$tmp/log")"
cat "$tmp/inner.iso" >>"$tmp/outer.iso"
names "$tmp/outer.iso" '' 'changing second ' newer
expect 32 "$PLATTER" ls -o session=2 "$tmp/outer.iso"
