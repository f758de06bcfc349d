#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# platter umount returns when all is on disk and the daemon and its supervisor are gone, however long
# that takes; umount(8) may return before, and the next attach then waits for the overlay.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_strace

truncate -s 16M disk.img
# slowly: attached, with a daemon each of whose fdatasync takes 0.3 s, and something written.
slowly() {
	attach disk.img mnt --overlay=changes
	daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
	exec 5<>mnt/disk
	poke mnt/disk "$1" "$2" || fail "writing"
	trace_daemon mnt -e trace=fdatasync -e inject=fdatasync:delay_enter=300000
	exec 5>&-
}
slowly 1M first
detach mnt
ended "$daemon" "$supervisor" || fail "umount returned before they were gone"
expect 0 "$PLATTER" status --json changes
same "closed" "$(json out 'j["clean"], j["blocks"]')" "(True, 1)"
[ ! -e mnt ] || fail "the directory that platter made is left"
wait

slowly 2M second
umount mnt 2>/dev/null || fusermount3 -u mnt || fail "umount(8)"
not mounted "$tmp/mnt" || fail "still mounted"
attach disk.img other --overlay=changes
ended "$daemon" "$supervisor" || fail "attached while the other had the overlay"
same "both" "$(peek other/disk 1M 5) $(peek other/disk 2M 6)" "first second"
detach other
