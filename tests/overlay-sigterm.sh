#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGTERM, to the daemon or to its supervisor, in the background or with -f, ends the mount as
# umount does: all that was written is kept, the mount is gone, the overlay closed.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

truncate -s 8M disk.img

# check TEXT: everything is over, and TEXT was kept.
check() {
	wait_for 5 ended "$daemon" "$supervisor" || fail "$1: the processes live on"
	not mounted "$tmp/mnt" || fail "$1: the mount is left"
	expect 0 "$PLATTER" status --json changes
	same "$1: closed" "$(json out 'j["clean"], j["in_use"]')" "(True, False)"
	expect 0 "$PLATTER" cat -p 0 --overlay=changes disk.img
	same "$1: kept" "$(peek out 5000000 ${#1})" "$1"
}

for signal in TERM INT HUP; do
	for whom in daemon supervisor; do
		attach disk.img mnt --overlay=changes
		daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
		# Held open: it is not the last close that flushes.
		exec 5<>mnt/disk
		poke mnt/disk 5000000 "$signal $whom" || fail "writing"
		kill -$signal "${!whom}"
		check "$signal $whom"
		exec 5>&-
		[ ! -e mnt ] || fail "the directory that platter made is left"
	done
done

mkdir mnt
"$PLATTER" attach -f disk.img mnt --overlay=changes >out 2>err &
supervisor=$!
wait_for 10 mounted "$tmp/mnt" || fail "not mounted"
daemon=$(daemon_of mnt)
same "the supervisor with -f" "$(supervisor_of mnt)" $supervisor
poke mnt/disk 5000000 foreground || fail "writing"
kill -TERM $supervisor
wait $supervisor || fail "attach -f ended with $?"
same "what attach -f said" "$(cat out err)" ""
check foreground
