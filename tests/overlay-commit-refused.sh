#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# commit refuses, with nothing changed, while anybody uses the overlay or the image, when the image
# is not what the overlay was made for or cannot be written, and when another branch would not fit
# the image any more.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse

truncate -s 4M disk.img
head -c 2M /dev/urandom | poke disk.img 0
change changes disk.img 'put(0, b"changes")'
sums disk.img changes >before
no() { # TEXT [OPTION...]
	local text=$1
	shift
	refused "$text" commit --yes "$@" changes
	sums disk.img changes | cmp -s before - || fail "$text: refused, but changed"
	[ ! -e undo ] || fail "$text: refused, but there is an undo"
}

# In use.
for how in "" --overlay=third --overlay=ram; do
	# shellcheck disable=SC2086
	attach -q disk.img mnt $how
	no "mounted on" --undo=undo
	detach mnt
done
attach -q -o ro disk.img mnt --overlay=changes
no "changes.*attached"
detach mnt
rm third
# By somebody whose mounts are not seen here: locks tell, too.
ln disk.img disk.link
attach -q disk.link mnt --overlay=third
no "relies on the image not being written" --undo=undo
detach mnt
rm third disk.link
if command -v qemu-io >/dev/null; then
	mkfifo commands
	qemu-io -f raw disk.img <commands >qemu.log 2>&1 &
	exec 8>commands
	echo "read 0 512" >&8
	wait_for 5 grep -q 'read 512/512' qemu.log || fail "qemu-io: $(cat qemu.log)"
	no "QEMU's lock" --undo=undo
	exec 8>&-
	wait $!
fi

# Not the image, or not to be written.
cp disk.img kept
poke disk.img 100 "something else"
touch -d '2001-02-03' disk.img
sums disk.img changes >before
no "not those that the overlay was made for" --undo=undo
cp kept disk.img
truncate -s 5M disk.img
sums disk.img changes >before
no "4194304 bytes, this one has 5242880" --undo=undo
truncate -s 4M disk.img
sums disk.img changes >before
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 .
	if as_user "$PLATTER" -V >/dev/null 2>&1; then
		chmod 777 .
		chmod 644 disk.img
		chown 65534 changes
		refuse_user() {
			expect 32 as_user "$PLATTER" commit --yes "$@" changes
			grep -q "disk.img cannot be written to: Permission denied" err || fail "why: $(cat err)"
			sums disk.img changes | cmp -s before - || fail "not to be written, but changed"
		}
		refuse_user
		refuse_user --undo=undo
		[ ! -e undo ] || fail "there is an undo of nothing"
		chown 0 changes
		chmod 755 .
	fi
fi
mv disk.img away
refused "disk.img.*not beside it" commit --yes changes
mv away disk.img

# --undo on what exists, be it what it may.
echo mine >mine
change other disk.img 'put(1 << 20, b"other")'
for taken in mine other changes disk.img; do
	sums disk.img changes mine other >before
	refused "File exists" commit --yes --undo=$taken changes
	sums disk.img changes mine other | cmp -s before - || fail "--undo=$taken: refused, but changed"
done
refused "No such file or directory" commit --yes --undo=nowhere/undo changes
sums disk.img changes mine other | cmp -s before - || fail "--undo=nowhere/undo: changed"

# Branches, and copies.
expect 0 "$PLATTER" snapshot changes s1
change changes disk.img 'put(1000, b"left")'
expect 0 "$PLATTER" snapshot changes left
expect 0 "$PLATTER" rollback --yes changes s1
change changes disk.img 'put(1000, b"right")'
sums disk.img changes changes.* >before
refused "changes.left does not lie below it.*platter discard" commit --yes --undo=undo changes
sums disk.img changes changes.* | cmp -s before - || fail "refused for a branch, but changed"
[ ! -e undo ] || fail "there is an undo of nothing"
refused "frozen layer" commit --yes changes.left
expect 0 "$PLATTER" discard --yes changes.left
cp changes.s1 copy
refused "copy does not lie below it" commit --yes changes
expect 0 "$PLATTER" discard --yes copy
look changes disk.img wanted
expect 0 "$PLATTER" commit --yes --undo=undo changes
same_bytes disk.img wanted
same "left" "$(echo changes*)" 'changes*'
