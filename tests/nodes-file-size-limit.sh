#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A limit on the size of files that may be written (ulimit -f) is none on the size of images that
# may be looked at: info, cat and a read-only attach write nothing.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk mkfs.ext4 prlimit

make_ext4_disk disk.img
for command in 'cat -p 1'; do
	# shellcheck disable=SC2086
	"$PLATTER" $command disk.img >want || fail "$command"
	# shellcheck disable=SC2086
	prlimit --fsize=1048576 "$PLATTER" $command disk.img 2>err | cat >got
	same "what $command says" "$(cat err)" ""
	same_bytes want got
done
expect 0 prlimit --fsize=1048576 "$PLATTER" attach disk.img mnt
expect 0 cmp disk.img mnt/disk
detach mnt
