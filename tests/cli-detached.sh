#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mount and attach return when the mount answers, not before; the daemon and its supervisor have then
# let go of stdin, stdout, stderr, the working directory and the session.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires ps
requires xorriso

make_iso disc.iso
# No time passes between the return and the first use.
for _ in 1 2 3 4 5 6 7 8; do
	"$PLATTER" mount disc.iso mnt && read -r line <mnt/hello.txt && same "line" "$line" "hello, world"
	mounted "$tmp/mnt" || fail "not mounted"
	detach mnt
done

# A pipe ends when the parent does, and so does what waits for all of its writers.
begin=$(date +%s)
echo "'$PLATTER' attach disc.iso mnt 2>&1 </dev/zero | cat >out" >pipe.sh
timeout 20 sh pipe.sh || fail "the pipe does not end"
[ $(($(date +%s) - begin)) -lt 15 ] || fail "the pipe ended late"
for pid in $(daemon_of mnt) $(supervisor_of mnt); do
	for fd in 0 1 2; do
		same "descriptor $fd of $pid" "$(readlink "/proc/$pid/fd/$fd")" /dev/null
	done
	same "working directory of $pid" "$(readlink "/proc/$pid/cwd")" /
	[ "$(ps -o sid= -p "$pid" | tr -d ' ')" != "$(ps -o sid= -p $$ | tr -d ' ')" ] ||
		fail "process $pid is in this session"
done
# Its own end is not that of the terminal's group.
kill -0 "$(daemon_of mnt)" || fail "the daemon is gone"
detach mnt

# A directory can go that platter was started in, with the image in another.
mkdir start
cd start || fail cd
mount_image ../disc.iso ../mnt
cd .. || fail cd
rmdir start || fail "rmdir"
same "afterwards" "$(cat mnt/hello.txt)" "hello, world"
detach mnt

# What fails does so before the parent returns, with a message: here, a daemon that cannot mount.
if [ "$(id -u)" != 0 ]; then exit 0; fi
mkdir there
expect 0 mount -t tmpfs -o ro none there
expect 32 "$PLATTER" mount disc.iso there/mnt
grep -q '^platter: .*Read-only file system' err || fail "the message"
