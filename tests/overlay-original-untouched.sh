#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is written through an overlay never reaches the original: its bytes and times stay, the
# daemon has it open for reading only, and the changes are there at the next attach, and only with
# the overlay. Without a value, --overlay means IMAGE.overlay.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk mkfs.ext4

make_ext4_disk disk.img
before=$(sha256 disk.img) times=$(stat -c '%y %z %b' disk.img)
cp disk.img want
change() { # OFFSET FILE: on the disk, through the node of the partition
	poke mnt/parts/1 $(($1 - 1048576)) <"$2" || fail "writing"
	poke want "$1" <"$2"
}

attach disk.img mnt --overlay
[ -f disk.img.overlay ] || fail "there is no disk.img.overlay"
head -c 100001 /dev/urandom >odd
head -c 3M /dev/urandom >big
change 1048576 odd
change $((20 * 1048576 + 1)) big
change $((41 * 1048576 - 100001)) odd
head -c 700 /dev/urandom >few
poke mnt/disk 67000001 <few || fail "writing"
poke want 67000001 <few
same_bytes want mnt/disk
image=$(realpath disk.img) fds=0
for fd in "/proc/$(daemon_of mnt)/fd/"*; do
	[ "$(readlink "$fd")" = "$image" ] || continue
	fds=$((fds + 1))
	grep -q '^flags:.*0$' "${fd/\/fd\///fdinfo/}" || fail "the image is open for writing"
done
[ $fds -gt 0 ] || fail "the daemon has no descriptor of the image"
detach mnt
grep -q "kept in $tmp/disk.img.overlay: [1-9]" out || fail "umount does not say what was kept"

# 2 + 1 and 1 more blocks of odd, big, few: what was not written is not in the overlay.
kept=$((100001 / 4096 + 1 + (3145728 / 4096 + 1) + 100001 / 4096 + 1 + 1))
expect 0 "$PLATTER" status --json disk.img.overlay
same "blocks in the overlay" "$(json out 'j["blocks"]')" $kept

unchanged() {
	same "the image" "$(sha256 disk.img)" "$before"
	same "the image's times" "$(stat -c '%y %z %b' disk.img)" "$times"
}
unchanged
for how in --overlay -o\ overlay --overlay=disk.img.overlay -o\ overlay=disk.img.overlay; do
	# shellcheck disable=SC2086
	attach disk.img mnt $how
	same_bytes want mnt/disk
	expect 0 cmp -i 1048576:0 -n 41943040 want mnt/parts/1
	detach mnt -q
	[ ! -s out ] || fail "umount -q says something"
done
attach disk.img mnt
same_bytes disk.img mnt/disk
detach mnt
unchanged

# info and cat read through the overlay too.
expect 0 "$PLATTER" cat -p 0 --overlay=disk.img.overlay disk.img
same_bytes want out
