#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An undo that an interrupted commit left serves the commit that is run again, unless the overlay
# was written to in between, wherever that was. Where the image is overwritten in part there is no
# making one.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse
requires_strace

truncate -s 200M disk.img
head -c 1M /dev/urandom | poke disk.img 20M
cp --sparse=always disk.img old
change changes disk.img 'put(20 << 20, random(10000))'

# killed SYSCALL N OPTION...
killed() {
	local call=$1 n=$2
	shift 2
	(
		strace -f -qq -o strace.log -e trace="$call" \
			-e inject="$call:signal=SIGKILL:when=$n" \
			"$PLATTER" commit -q --yes "$@" changes
		exit $?
	) >log 2>&1 </dev/null
	[ $? = 137 ] || fail "not killed: $(cat log)"
}

# At the sync of the folder, when the undo has its name: nothing was begun.
killed fsync 2 --undo=undo
[ -e undo ] || fail "no undo yet"
same_bytes disk.img old
# A few blocks of 51200: no sample of 64 is likely to see them.
change changes disk.img 'put(50 << 20, b"later"); put(150 << 20, b"later")'
look changes disk.img wanted
refused "undo: .*File exists" commit --yes --undo=undo changes
same_bytes disk.img old
shows "after what was refused" changes disk.img wanted
rm undo
killed fsync 2 --undo=undo
expect 0 "$PLATTER" commit --yes --undo=undo changes
same_bytes disk.img wanted
shows "the undo" undo disk.img old
expect 0 "$PLATTER" commit --yes undo
same_bytes disk.img old

# Killed when the image is synced: it has everything already.
change changes disk.img 'put(20 << 20, random(10000))'
look changes disk.img wanted
killed fsync 1
refused "interrupted has no undo in undo" commit --yes --undo=undo changes
[ ! -e undo ] || fail "there is an undo of what is overwritten"
shows "after what was refused" changes disk.img wanted
expect 0 "$PLATTER" commit --yes changes
same_bytes disk.img wanted
