#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount point may be named by a symbolic link to it: it is mounted on what the link leads to, umount
# takes the same name, and a daemon that dies takes the mount with it all the same.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires xorriso

make_iso disc.iso
mkdir real
ln -s real link
ln -s nowhere dangling
for name in link link/ "$tmp/link"; do
	mount_image disc.iso "$name"
	mounted "$tmp/real" || fail "$name: mounted somewhere else: $(grep "$tmp" /proc/mounts)"
	same "files" "$(cat real/hello.txt)" "hello, world"
	detach "$name"
	not mounted "$tmp/real" || fail "umount $name left it"
done

mount_image disc.iso link
daemon=$(daemon_of real) supervisor=$(supervisor_of real)
kill -9 "$daemon"
wait_for 5 ended "$daemon" "$supervisor" || fail "the supervisor lives on"
not mounted "$tmp/real" || fail "the daemon is dead, its mount is left"

mount_image disc.iso link
daemon=$(daemon_of real) supervisor=$(supervisor_of real)
kill -9 "$supervisor" "$daemon"
wait_for 5 ended "$daemon" "$supervisor" || fail "the processes live on"
mount_image disc.iso link
same "over a stale mount" "$(cat real/hello.txt)" "hello, world"
detach link
[ -d real ] || fail "the directory is gone"
[ -L link ] || fail "the link is gone"

expect 32 "$PLATTER" mount disc.iso dangling
same "lines on stderr" "$(wc -l <err)" 1
[ -L dangling ] || fail "the dangling link is gone"
