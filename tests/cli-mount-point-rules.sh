#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# DIR must be an empty directory that the caller can write to, in a directory where nobody else can
# put another in its place; one that does not exist is made, private, and removed again.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires xorriso

make_iso disc.iso
refused() { # DIR TEXT
	expect 32 "$PLATTER" mount disc.iso "$1"
	grep -q "^platter: .*$2" err || fail "$1: the message does not say '$2'"
	same "lines on stderr" "$(wc -l <err)" 1
}
mkdir full open open/empty sticky sticky/empty
: >full/.hidden
refused full 'not empty'
refused disc.iso 'not a directory'
refused nowhere/mnt 'No such file'
refused disc.iso/mnt 'Not a directory'
[ -f full/.hidden ] || fail "the file is gone"
chmod 777 open
refused open/empty 'not sticky'
refused open/new 'not sticky'
[ ! -e open/new ] || fail "a refused directory was made and left"
chmod 775 open
[ "$(id -u)" != 0 ] || chgrp 12345 open
[ "$(id -u)" != 0 ] || refused open/empty 'not sticky'
# Mounted on already: what is there is not empty, and not hidden.
mount_image disc.iso mnt
refused mnt ''
same "mounts on mnt" "$(grep -c " $tmp/mnt " /proc/self/mountinfo)" 1
same "what is there" "$(cat mnt/hello.txt)" "hello, world"
detach mnt

chmod 1777 sticky
mount_image disc.iso sticky/empty
detach sticky/empty
[ -d sticky/empty ] || fail "the directory is gone"
mount_image disc.iso sticky/new
detach sticky/new
[ ! -e sticky/new ] || fail "the directory that platter made is left"

# One that platter makes is its owner's before anything is mounted there: seen when nothing is.
umask 000
mount_image disc.iso made
umount made 2>/dev/null || fusermount3 -u made
wait_for 5 test ! -e made || fail "the directory is left after umount(8)"
umask 022

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$tmp"
	mkdir -m 755 roots
	if as_user "$PLATTER" -V >/dev/null 2>&1; then
		expect 32 as_user "$PLATTER" mount "$tmp/disc.iso" "$tmp/roots"
		grep -q 'writable by you' err || fail "the message: not writable"
		expect 32 as_user "$PLATTER" mount "$tmp/disc.iso" "$tmp/roots/new"
		grep -q 'Permission denied' err || fail "the message: cannot be made"
	fi
fi
