#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The path of its image in an overlay is shown and never opened: an overlay that came from elsewhere
# may name any file. What status looks at is a regular file of that name beside the overlay.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires strace

mkdir there
head -c 1M /dev/urandom >there/disk.img
attach there/disk.img mnt --overlay=here
detach mnt
# (LeakSanitizer cannot work under strace.)
ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -e trace=open,openat -o trace \
	"$PLATTER" status here >out || fail status
grep -q "image .*$tmp/there/disk.img" out || fail "the path is not shown"
! grep -q 'there/disk.img' trace || fail "opened: $(grep there/disk.img trace)"
grep -q '^fits .*no: .*beside' out || fail "what it says: $(grep fits out)"
cp there/disk.img disk.img
expect 0 "$PLATTER" status here
grep -q '^fits .*yes' out || fail "an image beside it is not looked at"
rm disk.img
mkfifo disk.img
expect 0 timeout 10 "$PLATTER" status here
