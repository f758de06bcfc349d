#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# When the daemon dies, its mount goes with it: within 500 ms, in use or not, and the directory is
# removed when platter made it. Clients get an error and do not hang. Without its supervisor a
# daemon goes on serving.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires xorriso

make_iso disc.iso
mkdir there

# dies DIR [CLIENT...]: mounts on DIR, starts CLIENT, kills the daemon.
dies() {
	local dir=$1 point=$tmp/$1 daemon supervisor begin took client=
	mount_image disc.iso "$dir"
	shift
	daemon=$(daemon_of "$point") supervisor=$(supervisor_of "$point")
	if [ $# -gt 0 ]; then
		(cd "$point" && exec "$@") >/dev/null 2>&1 &
		client=$!
		in_use() { [ "$(readlink "/proc/$client/cwd")" = "$point" ]; }
		wait_for 5 in_use || fail "the client did not start"
	fi
	begin=$(date +%s%N)
	kill -9 "$daemon"
	wait_for 5 not mounted "$point" || fail "$dir $*: still mounted"
	took=$((($(date +%s%N) - begin) / 1000000))
	[ $took -le 500 ] || fail "$dir $*: the mount was there for $took ms"
	wait_for 5 ended "$daemon" "$supervisor" || fail "$dir $*: the supervisor lives on"
	[ -z "$client" ] || { kill "$client" && wait "$client"; } 2>/dev/null
}
dies mnt
[ ! -e mnt ] || fail "the directory that platter made is left"
dies there
dies there sleep 60
dies there tail -f hello.txt
[ -d there ] || fail "the directory that was there before is gone"

# A reader in the middle of it: ends with an error.
head -c 64M /dev/zero | tr '\0' z >disk.img
attach disk.img mnt --overlay=ram # every read goes to the daemon
(while cat mnt/disk; do :; done >/dev/null 2>reader) &
reader=$!
daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
kill -9 "$daemon"
wait_for 5 ended $reader || fail "the reader hangs"
wait_for 5 ended "$daemon" "$supervisor" || fail "the supervisor lives on"
grep -q -e 'not connected' -e 'abort' -e 'No such file' -e 'Input/output' reader || fail "$(cat reader)"

mount_image disc.iso mnt
daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
kill -9 "$supervisor"
wait_for 5 ended "$supervisor" || fail "the supervisor lives on"
same "without supervisor" "$(cat mnt/hello.txt)" "hello, world"
detach mnt
ended "$daemon" || fail "umount returned before the daemon was gone"
