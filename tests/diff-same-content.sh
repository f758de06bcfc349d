#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An overlay that holds blocks, but nothing other than the image has, is no difference: exit 0 and
# silence, or JSON without ranges and files.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires xorriso

make_iso disc.iso
truncate -s %4096 disc.iso
attach disc.iso mnt --overlay=ov
same_as_empty() {
	local files

	for files in '' --files; do
		# shellcheck disable=SC2086
		expect 0 "$PLATTER" diff $files ov
		same "output of diff $files" "$(cat out err)" ""
		# shellcheck disable=SC2086
		expect 0 "$PLATTER" diff $files --json ov
	done
	same "files" "$(json out 'j["files"], j["skipped"]')" "([], [])"
	expect 0 "$PLATTER" diff --json ov
	same "ranges" "$(json out 'j["ranges"], j["changed_bytes"]')" "([], 0)"
}
detach mnt
same_as_empty

attach disc.iso mnt --overlay=ov
dd if=disc.iso of=mnt/disk bs=64K conv=notrunc status=none || fail "writing"
detach mnt
expect 0 "$PLATTER" status --json ov
same "blocks" "$(json out 'j["blocks"]')" $(($(stat -c %s disc.iso) / 4096))
same_as_empty

# Changed, and changed back; and zeros over zeros, as data and as a hole.
attach disc.iso mnt --overlay=ov
poke mnt/disk 40000 changed
detach mnt
expect 1 "$PLATTER" diff ov
attach disc.iso mnt --overlay=ov
peek disc.iso 40000 7 | poke mnt/disk 40000
head -c 4096 /dev/zero | poke mnt/disk 4096
expect 0 fallocate -p -o 8192 -l 8192 mnt/disk
detach mnt
same_as_empty
