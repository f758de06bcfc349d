#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount whose daemon and supervisor were both killed answers nothing: list calls it stale, the next
# mount on the same directory replaces it, umount cleans it away.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires xorriso

make_iso disc.iso
mkdir mnt
stale() {
	local daemon supervisor
	daemon=$(daemon_of "$1") supervisor=$(supervisor_of "$1")
	kill -9 "$supervisor" "$daemon"
	wait_for 5 ended "$daemon" "$supervisor" || fail "the processes live on"
	mounted "$tmp/$1" || fail "who detached it?"
	ls "$1" 2>/dev/null && fail "it still answers"
	return 0
}
of_list() { # EXPRESSION of m, the mount on mnt
	expect 0 "$PLATTER" list --json
	json out "[$1 for m in j if m['dir'] == '$tmp/mnt']"
}

mount_image disc.iso mnt
stale mnt
same "list" "$(of_list '(m["image"], m["state"])')" "[('$tmp/disc.iso', 'stale')]"
expect 0 "$PLATTER" list
grep -qF "$tmp/disc.iso on $tmp/mnt (stale" out || fail "list says: $(cat out)"

mount_image disc.iso mnt
same "a new mount" "$(cat mnt/hello.txt) $(of_list 'm["state"]')" "hello, world ['mount']"
stale mnt
attach disc.iso mnt --overlay=changes
same_bytes disc.iso mnt/disk
poke mnt/disk 0 x || fail "writing"
stale mnt
detach mnt
grep -q "$tmp/mnt: .*cleaned" out || fail "umount does not say what it did"
not mounted "$tmp/mnt" || fail "still mounted"
[ -d mnt ] || fail "the directory, that was there before, is gone"
mount_image disc.iso mnt
stale mnt
detach disc.iso
not mounted "$tmp/mnt" || fail "umount IMAGE left it"
same "list" "$(of_list 'm')" "[]"
