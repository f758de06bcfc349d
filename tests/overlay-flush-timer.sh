#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sync(2) does not reach a FUSE daemon: without any fsync or close, what was written is durable
# after five seconds, whatever is killed then.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

truncate -s 16M disk.img
attach disk.img mnt --overlay=changes
daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
exec 5<>mnt/disk
poke mnt/disk 3M "in time" || fail "writing"
# status counts the blocks of the map on disk.
kept() {
	"$PLATTER" status --json changes >now && grep -q '"blocks":1,' now
}
wait_for 7 kept || fail "not flushed after 7 s: $(cat now)"
kill -9 "$supervisor" "$daemon"
exec 5>&-
wait_for 5 ended "$daemon" "$supervisor" || fail "the processes live on"
expect 0 umount -l mnt
expect 0 "$PLATTER" cat -p 0 --overlay=changes disk.img
same "what was written" "$(peek out 3M 7)" "in time"
