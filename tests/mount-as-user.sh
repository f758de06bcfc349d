#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An ordinary user mounts, reads, attaches with an overlay, lists and unmounts, with platter or with
# fusermount3; others, root among them, do not see in. What the user may not read or write is refused.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_root # to become an ordinary user with a /dev/fuse
requires unshare xorriso
private_mounts
users_may_mount

make_iso disc.iso
truncate -s 8M disk.img
install -d -m 755 -o 65534 own own/mnt own/fresh
chmod 644 disc.iso disk.img
cd own || fail cd

# of_own FIELD: of the mount on mnt, in what the last `list` printed; other tests' are there too.
of_own() {
	json ../out '"".join(str(m["'"$1"'"]) for m in j if m["dir"] == "'"$tmp"'/own/mnt")'
}

expect 0 as_user "$PLATTER" mount ../disc.iso mnt
same "output" "$(cat ../out ../err)" ""
expect 0 as_user cat mnt/dir/deeper/data.bin
same_bytes ../out ../iso-source/dir/deeper/data.bin
same "/proc/mounts" "$(awk -v d="$tmp/own/mnt" '$2 == d { print $1, $3, $4 }' /proc/mounts | cut -d, -f1-4)" \
	"$tmp/disc.iso fuse.platter ro,nosuid,nodev,relatime"
grep " $tmp/own/mnt " /proc/mounts | grep -q 'user_id=65534' || fail "not the user's mount"
cat mnt/hello.txt 2>/dev/null && fail "root sees into a user's mount"
expect 0 as_user "$PLATTER" list --json
same "list" "$(of_own state)" mount
daemon=$(of_own pid) supervisor=$(of_own supervisor)
expect 0 "$PLATTER" list
grep -q "$tmp/own/mnt (not yours" ../out || fail "root's list says: $(cat ../out)"
for pid in $daemon $supervisor; do
	same "user of $pid" "$(stat -c %u "/proc/$pid")" 65534
done
expect 0 as_user "$PLATTER" umount mnt
ended "$daemon" "$supervisor" || fail "umount returned before they were gone"
not mounted "$tmp/own/mnt" || fail "still mounted"

# fusermount3 unmounts too, and a killed daemon's mount goes.
for how in 'fusermount3 -u mnt' 'kill -9 DAEMON' 'kill -TERM DAEMON' 'kill -TERM SUPERVISOR'; do
	expect 0 as_user "$PLATTER" mount ../disc.iso mnt
	expect 0 as_user "$PLATTER" list --json
	daemon=$(of_own pid) supervisor=$(of_own supervisor)
	how=${how/DAEMON/$daemon}
	# shellcheck disable=SC2086
	expect 0 as_user ${how/SUPERVISOR/$supervisor}
	wait_for 5 ended "$daemon" "$supervisor" || fail "$how: the processes live on"
	not mounted "$tmp/own/mnt" || fail "$how: still mounted"
done

# Busy: said, with the process.
expect 0 as_user "$PLATTER" mount ../disc.iso mnt
# shellcheck disable=SC2016
as_user sh -c 'cd mnt && echo $$ >../holder && exec sleep 60' &
wait_for 5 test -s holder || fail "the holder does not start"
holder=$(cat holder)
expect 2 as_user "$PLATTER" umount mnt
grep -q "busy.*process $holder (sleep)" ../err || fail "the message does not name the process"
kill "$holder"
wait_for 5 ended "$holder"
expect 0 as_user "$PLATTER" umount mnt

# Dead altogether: noticed and cleaned.
expect 0 as_user "$PLATTER" mount ../disc.iso mnt
expect 0 as_user "$PLATTER" list --json
kill -9 "$(of_own supervisor)" "$(of_own pid)"
wait_for 5 as_user sh -c '! ls mnt' || fail "it still answers"
expect 0 as_user "$PLATTER" list
grep -q "$tmp/own/mnt (stale" ../out || fail "list says: $(cat ../out)"
expect 0 as_user "$PLATTER" mount ../disc.iso mnt
expect 0 as_user cat mnt/hello.txt
expect 0 as_user "$PLATTER" umount mnt

# An overlay of one's own over somebody else's image.
expect 0 as_user "$PLATTER" attach ../disk.img mnt --overlay=changes
same "mode of the overlay" "$(stat -c '%a %u' changes)" "600 65534"
expect 0 as_user sh -c 'echo changed | dd of=mnt/disk conv=notrunc,fsync status=none'
expect 0 as_user "$PLATTER" umount mnt
grep -q 'changes: 1 blocks' ../out || fail "umount says: $(cat ../out)"
expect 0 as_user "$PLATTER" cat -p 0 ../disk.img --overlay=changes
same "what was written" "$(head -n 1 ../out | tr -d '\0')" changed

# Not allowed.
refused() { # TEXT ARGUMENT...
	local text=$1
	shift
	expect 32 as_user "$PLATTER" "$@"
	grep -q "$text" ../err || fail "$*: the message does not say '$text'"
}
refused 'Permission denied' attach ../disk.img mnt --overlay
chmod 600 ../disk.img
refused 'Permission denied' mount ../disk.img mnt
chmod 644 ../disk.img
mkdir roots
refused 'writable by you' mount ../disc.iso roots
grep -qsx user_allow_other /etc/fuse.conf || refused 'allow_other' mount ../disc.iso mnt -o allow_other
expect 0 as_user "$PLATTER" list
same "left" "$(cat ../out)" ""
