#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Without DIR a directory named after the image is made below /run/platter (root),
# $XDG_RUNTIME_DIR/platter or /tmp/platter-UID, 0700 and the caller's own; it is printed, and removed
# at umount. One that others own or can write to is refused.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_root # for an empty /run, and to be two users
requires unshare xorriso
private_mounts
users_may_mount

expect 0 mount -t tmpfs -o mode=755 none /run
make_iso disc.iso
mount_image disc.iso
same "what is printed" "$(cat out)" /run/platter/disc.iso
same "its files" "$(cat /run/platter/disc.iso/hello.txt)" "hello, world"
same "the parent's mode" "$(stat -c '%a %u' /run/platter)" "700 0"
mkdir sub
cp disc.iso sub/
attach sub/disc.iso
same "a second of that name" "$(cat out)" /run/platter/disc.iso-2
mount_image -q disc.iso
same "with -q" "$(cat out)" ""
mounted /run/platter/disc.iso-3 || fail "with -q it is not mounted"
detach /run/platter/disc.iso
[ ! -e /run/platter/disc.iso ] || fail "the directory is left"
mount_image disc.iso
same "a free name is used again" "$(cat out)" /run/platter/disc.iso
# When the daemon dies, and when all dies, it goes too.
kill -9 "$(daemon_of /run/platter/disc.iso)"
wait_for 5 test ! -e /run/platter/disc.iso || fail "the directory of a dead daemon is left"
detach disc.iso
detach sub/disc.iso
same "what is left" "$(ls -A /run/platter)" ""
mount_image disc.iso
kill -9 "$(supervisor_of /run/platter/disc.iso)" "$(daemon_of /run/platter/disc.iso)"
mount_image disc.iso
same "after a crash" "$(cat out)" /run/platter/disc.iso
detach disc.iso
# A failure leaves none.
truncate -s 1M blank.img
expect 32 "$PLATTER" mount blank.img
same "what is left" "$(ls -A /run/platter)" ""

# ---- a user

mkdir -m 700 runtime
chown 65534 runtime
chmod 644 disc.iso
export XDG_RUNTIME_DIR=$tmp/runtime
expect 0 as_user "$PLATTER" mount disc.iso
same "what is printed" "$(cat out)" "$tmp/runtime/platter/disc.iso"
same "the parent's mode" "$(stat -c '%a %u' runtime/platter)" "700 65534"
expect 0 as_user cat runtime/platter/disc.iso/hello.txt
expect 0 as_user "$PLATTER" umount "$tmp/runtime/platter/disc.iso"
same "what is left" "$(ls -A runtime/platter)" ""

refused() {
	expect 32 as_user "$PLATTER" mount disc.iso
	grep -q '^platter: .*platter: must be a directory of yours' err || fail "$1: the message"
	same "stdout" "$(cat out)" ""
}
chmod 770 runtime/platter
refused "others may write to it"
chmod 700 runtime/platter
chown 1 runtime/platter
refused "somebody else's"
rmdir runtime/platter
mkdir -m 700 runtime/target
chown 65534 runtime/target
ln -s target runtime/platter
refused "a link"

# No XDG_RUNTIME_DIR: a name of this test's own, /tmp is everybody's.
export XDG_RUNTIME_DIR=
cp disc.iso "disc-$$.iso"
expect 0 as_user "$PLATTER" mount "disc-$$.iso"
same "what is printed" "$(cat out)" "/tmp/platter-65534/disc-$$.iso"
expect 0 as_user "$PLATTER" umount "/tmp/platter-65534/disc-$$.iso"
[ ! -e "/tmp/platter-65534/disc-$$.iso" ] || fail "the directory is left"
rmdir /tmp/platter-65534 2>/dev/null || :
