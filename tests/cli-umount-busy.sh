#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount in use is not detached, and umount names the processes and loop devices that use it, with
# exit 2; it serves on. -l detaches it at once and lets them finish.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

head -c 2M /dev/urandom >disk.img
busy() { # TEXT: umount says that
	expect 2 "$PLATTER" umount mnt
	grep -q "^platter: $tmp/mnt: .*$1" err || fail "umount does not say '$1'"
	same "stdout" "$(cat out)" ""
	mounted "$tmp/mnt" || fail "it was detached"
	same_bytes disk.img mnt/disk
}

attach disk.img mnt
tail -f mnt/disk >/dev/null &
holder=$!
opened() { find /proc/$holder/fd -lname "$tmp/mnt/disk" | grep -q .; }
wait_for 5 opened || fail "tail does not start"
busy "busy.*process $holder (tail)"
kill $holder
wait $holder 2>/dev/null
(cd mnt/parts && exec sleep 60) &
holder=$!
in_mount() { [ "$(readlink /proc/$holder/cwd)" = "$tmp/mnt/parts" ]; }
wait_for 5 in_mount || fail "sleep does not start"
busy "busy.*process $holder (sleep)"
kill $holder
wait $holder 2>/dev/null
detach mnt

# Lazily: gone from the tree, served to the one who has it open until then.
attach disk.img mnt --overlay=changes
daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
exec 5<>mnt/disk
detach -l mnt
grep -q 'still in use' out || fail "umount -l does not say that it is still in use"
not mounted "$tmp/mnt" || fail "still mounted"
kill -0 "$daemon" || fail "the daemon ended while the node was open"
printf lazy >&5 || fail "writing after umount -l"
exec 5>&-
wait_for 5 ended "$daemon" "$supervisor" || fail "the daemon lives on"
expect 0 "$PLATTER" cat -p 0 --overlay=changes disk.img
same "what was written last" "$(peek out 0 4)" lazy
attach disk.img mnt
detach -l mnt

# A loop device on a node.
[ "$(id -u)" = 0 ] || exit 0
losetup -f >/dev/null 2>&1 || exit 0
attach disk.img mnt
loop=$(losetup -r -f --show mnt/disk) || fail losetup
busy "busy.*$loop"
expect 0 losetup -d "$loop"
no_loop() { ! losetup -nO BACK-FILE | grep -q "^$tmp/mnt/"; }
wait_for 5 no_loop || fail "the loop device is still there"
detach mnt
