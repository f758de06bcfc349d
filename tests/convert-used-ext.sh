#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# convert --used leaves out exactly the blocks that dumpe2fs calls free, in ext2, ext3 and ext4 of all
# kinds, and e2fsck finds no fault with the copy; where the marks are not to be relied on, nothing.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-convert.sh" || exit 99
requires mke2fs dumpe2fs e2fsck debugfs sfdisk tune2fs

mkdir files
seq 200000 >files/numbers
head -c 700001 /dev/urandom >files/random
mkdir files/folder
for i in {1..50}; do echo "$i" >files/folder/$i; done

# make SIZE ARGUMENT...: fs, full of junk where nothing was written, and from which a file was removed
make() {
	junk fs "$1"
	expect 0 mke2fs -q -F -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 -d files "${@:2}" fs
	expect 0 debugfs -w -R 'rm numbers' fs
	expect 0 e2fsck -fn fs
}

free_ranges() {
	dumpe2fs fs 2>/dev/null | awk '/^Block size:/ { size = $3 }
		/^  Free blocks: / {
			sub(/^  Free blocks: /, "")
			n = split($0, r, ", ")
			for (i = 1; i <= n; i++) {
				if (split(r[i], b, "-") == 1)
					b[2] = b[1]
				if (b[1] != "")
					printf "%d %d\n", b[1] * size, b[2] * size + size - 1
			}
		}'
}

copied() {
	rm -f copy
	expect 0 "$PLATTER" convert --used fs copy
}

# All blocks that are free, and no other.
exact() {
	make "$@"
	copied
	same "stderr" "$(cat err)" ""
	free_ranges >ranges
	only_free fs copy 0 <ranges
	expect 0 e2fsck -fn copy
	rm -rf there
	mkdir there
	expect 0 debugfs -R 'rdump / there' copy
	rm -rf there/lost+found
	expect 0 diff -r there files --exclude=numbers
}

M=1048576
exact $((18 * M)) -t ext2 -b 1024
exact $((18 * M)) -t ext2 -b 1024 -O ^sparse_super,^resize_inode
exact $((20 * M)) -t ext3 -b 1024 -J size=4
exact $((20 * M)) -t ext4 -b 1024
exact $((20 * M + 5000)) -t ext4
exact $((20 * M)) -t ext4 -b 1024 -O ^metadata_csum,uninit_bg
exact $((20 * M)) -t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^64bit,^resize_inode
exact $((30 * M)) -t ext4 -b 1024 -O meta_bg,^resize_inode,^metadata_csum,uninit_bg -G 4
exact $((20 * M)) -t ext4 -b 1024 -O metadata_csum_seed
exact $((18 * M)) -t ext4 -b 2048 -N 20000
# Small groups, most of which were never used: each kind of copies that may stand in them.
exact $((18 * M)) -t ext4 -b 1024 -g 1024
exact $((18 * M)) -t ext4 -b 1024 -g 1024 -O ^flex_bg -N 400
exact $((18 * M)) -t ext4 -b 1024 -g 1024 -O sparse_super2
exact $((18 * M)) -t ext4 -b 1024 -g 256 -O meta_bg,^resize_inode -N 400

# In a partition, of which there are two; a swap area, and what is in no partition, stay.
make $((20 * M)) -t ext4 -b 1024
junk disk $((64 * M))
printf '2048,40960,83\n44000,40960,83\n100000,8000,82\n' | sfdisk -q disk >/dev/null 2>&1 || fail sfdisk
poke disk $M <fs
poke disk $((44000 * 512)) <fs
expect 0 "$PLATTER" convert --used disk disk.img
for start in $M $((44000 * 512)); do
	free_ranges | awk -v at=$start '{ print at + $1, at + $2 }'
done >ranges
only_free disk disk.img 0 <ranges
expect 0 "$PLATTER" convert --used -p 2 disk part.img
free_ranges | awk '{ print $1, $2 }' >ranges
peek disk $((44000 * 512)) $((40960 * 512)) >part
only_free part part.img 0 <ranges
expect 0 "$PLATTER" convert --used --format=qcow2 disk disk.qcow2
expect 0 "$PLATTER" convert --format=qcow2 disk all.qcow2
[ $(($(stat -c %s disk.qcow2) + 20 * M)) -lt "$(stat -c %s all.qcow2)" ] || fail "no smaller"

# whole TEXT: all of it is copied, and that is said.
whole() {
	copied
	grep -q "$1.*; all of it is copied" err || fail "does not say '$1'"
	same_bytes fs copy
}
make $((20 * M)) -t ext4 -O bigalloc
whole 'features 0x0, 0x200 are not known here'
make $((20 * M)) -t ext4 -b 1024
expect 0 debugfs -w -R 'feature needs_recovery' fs
whole 'its journal has to be replayed'
make $((20 * M)) -t ext4 -b 1024
expect 0 debugfs -w -R 'ssv state 0' fs
whole 'it was not unmounted cleanly'
expect 0 debugfs -w -R 'ssv state 3' fs
whole 'it was not unmounted cleanly, or has errors'
# What is damaged counts as used from there on.
make $((20 * M)) -t ext4 -b 1024
at=$(dumpe2fs fs 2>/dev/null | sed -n 's/.*Block bitmap at \([0-9]*\).*/\1/p' | head -1)
poke fs $((at * 1024 + 900)) x
whole 'bitmap of group 0: wrong checksum'
# The last group's is as bad for the first.
make $((20 * M)) -t ext4 -b 1024
at=$(dumpe2fs fs 2>/dev/null | sed -n 's/.*Block bitmap at \([0-9]*\).*/\1/p' | tail -1)
poke fs $((at * 1024 + 900)) x
whole 'bitmap of group 2: wrong checksum'
make $((20 * M)) -t ext2 -b 1024
at=$(dumpe2fs fs 2>/dev/null | sed -n 's/.*Block bitmap at \([0-9]*\).*/\1/p' | head -1)
poke fs $((at * 1024 + 900)) x
whole 'group 0: [0-9]* free blocks, its descriptor says'
