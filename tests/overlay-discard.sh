#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# discard removes an overlay, with consent only: without a terminal that is --yes. What is no
# overlay, or is in use, stays.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

truncate -s 1M disk.img
attach disk.img mnt --overlay=changes
poke mnt/disk 0 mine || fail "writing"
expect 32 "$PLATTER" discard --yes changes
grep -q '^platter: changes: is in use' err || fail "the message does not say that it is in use"
same "still there" "$(peek mnt/disk 0 4)" mine
detach mnt

expect 1 "$PLATTER" discard changes
grep -q '^platter: .*--yes' err || fail "the message does not name --yes"
[ -f changes ] || fail "removed without consent"
echo y | "$PLATTER" discard changes 2>err && fail "removed at a y that no terminal gave"
[ -f changes ] || fail "removed without consent"

cp changes link-target
ln -s link-target link
echo "not an overlay" >text
mkdir dir
for what in disk.img text dir nowhere /dev/null; do
	expect 32 "$PLATTER" discard --yes $what
	grep -q "^platter: $what: " err || fail "the message does not name $what"
done
for what in disk.img text dir /dev/null; do
	[ -e $what ] || fail "$what was removed"
done

expect 0 "$PLATTER" discard --yes changes
[ ! -e changes ] || fail "the overlay is still there"
attach disk.img mnt --overlay=changes
same "after discard" "$(peek mnt/disk 0 4 | tr -d '\0')" ""
detach mnt

# On a terminal the question is asked there.
if command -v script >/dev/null; then
	ask() { echo "$1" | script -qec "'$PLATTER' discard changes" /dev/null >terminal 2>&1; }
	ask n
	same "answer n" $? 8
	grep -q 'changes.*\[y/N\]' terminal || fail "the question: $(cat terminal)"
	[ -f changes ] || fail "removed at n"
	ask y || fail "answer y: $(cat terminal)"
	[ ! -e changes ] || fail "still there after y"
fi
