#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Exit codes as mount(8)'s: 0 done, 1 the command line, 2 the system, 32 an image (or a path in it,
# or an overlay) that cannot be used.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires sfdisk mkfs.ext4 xorriso

make_iso disc.iso
make_ext4_disk disk.img
mkdir dir
echo text >dir/file
head -c 100000 disc.iso >cut.iso

codes() { # lines of: STATUS ARGUMENTS
	local status command
	while read -r status command; do
		# shellcheck disable=SC2086
		expect "$status" "$PLATTER" $command
	done
}
codes <<END
0 -h
0 --help
0 help
0 -V
0 --version
0 mount -h
0 cp --help
0 info -V
0 list
0 list --json
0 info disc.iso
0 info --json disk.img
0 ls disc.iso
0 ls -lR disc.iso /dir
0 cat disc.iso hello.txt
0 cat -p 1 disk.img
0 cp disc.iso hello.txt copy
1
1 frobnicate
1 --frobnicate
1 -p 1
1 mount
1 mount disc.iso mnt another
1 mount --frobnicate disc.iso mnt
1 mount -x disc.iso mnt
1 mount --json disc.iso mnt
1 mount disc.iso mnt -p
1 mount disc.iso mnt -p one
1 mount disc.iso mnt -o frobnicate
1 mount disc.iso mnt -o layout=none
1 mount disc.iso mnt --chain=/nowhere
1 info
1 info disc.iso disk.img
1 info -f disc.iso
1 list disc.iso
1 ls
1 ls --overlay= disc.iso
1 cat disc.iso
1 cp disc.iso hello.txt
1 umount
1 umount mnt another
1 status
1 discard
1 nowhere.img
2 umount mnt
2 umount disc.iso
2 umount nowhere
32 info nowhere.img
32 info dir
32 info /dev/null
32 info --format qcow2 disk.img
32 info -o start=1T disk.img
32 ls disk.img
32 ls disc.iso nowhere
32 ls disc.iso hello.txt/below
32 ls -p 1 disk.img
32 ls -p 9 disk.img
32 cat disc.iso nowhere
32 cat disc.iso dir
32 cat -p 9 disk.img
32 cat -o session=9 disc.iso hello.txt
32 cp disc.iso nowhere copy
32 cp disc.iso dir copy
32 cp disc.iso hello.txt nowhere/copy
32 cp disc.iso hello.txt run dir/file
32 mount nowhere.img mnt
32 mount disk.img mnt
32 mount -p 1 disk.img mnt
32 attach dir mnt
32 attach -p 9 disk.img mnt
32 attach disk.img dir
32 attach disk.img dir/file
32 attach disk.img nowhere/mnt
32 attach --overlay=disc.iso disk.img mnt
32 attach --overlay=dir disk.img mnt
32 attach --overlay=nowhere/changes disk.img mnt
32 nowhere.img mnt
32 status nowhere
32 status disc.iso
32 discard nowhere
32 discard --yes disc.iso
END
[ ! -e mnt ] || fail "a mount point was left"

# Files that the directory still lists but the cut disc does not hold.
expect 32 "$PLATTER" cat cut.iso dir/deeper/data.bin
# What cannot be written out is the system's failure.
if [ -w /dev/full ]; then
	for command in 'info disk.img' 'info --json disk.img' 'ls -l disc.iso' 'cat disc.iso run' \
		'cat -p 1 disk.img' -h -V; do
		# shellcheck disable=SC2086
		"$PLATTER" $command >/dev/full 2>err
		same "status of $command on a full disk" $? 2
	done
fi
