#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# -p N shows that partition alone, as DIR/parts/N; -p 0 the disk alone; a partition that is not
# there is refused with the numbers of those that are.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk mkfs.ext4

names() { (cd mnt && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | tr '\n' ' '); }

make_ext4_disk disk.img
one='.platter .platter/info.json parts parts/1 '
for how in '-p 1' '-p1' '--partition 1' '--partition=1' '-o part=1'; do
	# shellcheck disable=SC2086
	attach $how disk.img mnt
	same "nodes with $how" "$(names)" "$one"
	expect 0 cmp -i 1048576:0 -n 41943040 disk.img mnt/parts/1
	same "size" "$(stat -c %s mnt/parts/1)" 41943040
	detach mnt
done

attach -p 0 disk.img mnt
same "nodes with -p 0" "$(names)" '.platter .platter/info.json disk '
same_bytes disk.img mnt/disk
detach mnt

attach -p 1 --overlay=ram disk.img mnt
same "nodes with an overlay" "$(names)" "$one"
poke mnt/parts/1 4711 changed || fail "writing"
same "what was written" "$(peek mnt/parts/1 4711 7)" changed
detach mnt

expect 32 "$PLATTER" attach -p 9 disk.img mnt
grep -q 'no partition 9, there are 1, 2$' err || fail "the message names no numbers"
truncate -s 1M blank.img
expect 32 "$PLATTER" attach -p 3 blank.img mnt
for bad in x -1 1x ''; do
	expect 1 "$PLATTER" attach -p "$bad" disk.img mnt
done
not mounted "$tmp/mnt" || fail "something is mounted"
[ ! -e mnt ] || fail "the directory that platter made is still there"
