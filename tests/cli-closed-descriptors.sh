#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# platter may be started with standard input, output and error closed: no image or overlay takes
# their numbers, to be replaced or written to later.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

head -c 1M /dev/urandom >disk.img
mkdir mnt
"$PLATTER" attach disk.img mnt <&- || fail "without stdin"
same_bytes disk.img mnt/disk
detach mnt
"$PLATTER" attach disk.img mnt --overlay <&- >&- 2>&- || fail "without any"
same_bytes disk.img mnt/disk
echo changed | dd of=mnt/disk conv=notrunc,fsync status=none || fail "writing"
detach mnt
attach disk.img mnt --overlay
same "what was written" "$(head -c 7 mnt/disk)" changed
detach mnt
