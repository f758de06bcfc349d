#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Kinds of VMDK that qemu-img does not make, but some of which it reads: streams with the directory
# at the end, grains marked as zeros, other sizes of grains, COWD, seSparse, VMFS and ZERO extents,
# extents that begin inside a file, a second directory where the first is damaged.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires_fuse
requires qemu-img python3

# same_as_qemu FILE: as qemu-img reads it, and as it was made of raw.
same_as_qemu() {
	qemu-img convert -f vmdk -O raw "$1" want || fail "qemu-img: $1"
	same_bytes want raw
	holds "$1" raw
}

fill raw $(((3 << 20) + 512))
make_vmdk stream stream.vmdk raw
same_as_qemu stream.vmdk
same_disk stream.vmdk raw
make_vmdk hosted zeros.vmdk raw grain=16 zeros=1
same_as_qemu zeros.vmdk
make_vmdk hosted one.vmdk raw grain=1
same_as_qemu one.vmdk
make_vmdk stream small.vmdk raw grain=8
same_as_qemu small.vmdk

sectors=$(($(stat -c %s raw) / 512))
make_vmdk cowd disk-delta.vmdk raw
type=vmfsSparse descriptor cowd.vmdk "RW $sectors VMFSSPARSE \"disk-delta.vmdk\""
same_as_qemu cowd.vmdk
holds disk-delta.vmdk raw
make_vmdk cowd disk-delta.vmdk raw grain=8
same_as_qemu cowd.vmdk
make_vmdk sesparse disk-sesparse.vmdk raw
type=seSparse descriptor sesparse.vmdk "RW $sectors SESPARSE \"disk-sesparse.vmdk\""
same_as_qemu sesparse.vmdk
make_vmdk sesparse disk-sesparse.vmdk raw zeros=1
same_as_qemu sesparse.vmdk

# A row of extents of all kinds.
for i in 0 1 2 3 4; do
	dd if=raw of=part$i bs=512 skip=$((i * 1200)) count=1200 status=none
done
{ head -c 512000 /dev/urandom; cat part1; } >flat.bin
cp part2 flat.vmfs
make_vmdk hosted part0.vmdk part0 bare=1
make_vmdk cowd part3.vmdk part3
make_vmdk sesparse part4.vmdk part4 zeros=2
descriptor row.vmdk 'RW 1200 SPARSE "part0.vmdk"' 'RDONLY 1200 FLAT "flat.bin" 1000' \
	'RW 77 ZERO' 'RW 1200 VMFS "flat.vmfs"' 'RW 1200 VMFSSPARSE "part3.vmdk"' \
	'NOACCESS 1000 ZERO' 'RW 1200 SESPARSE "part4.vmdk"'
{
	cat part0 part1
	head -c $((77 * 512)) /dev/zero
	cat part2 part3
	head -c 512000 /dev/zero
	cat part4
} >row
same_disk row.vmdk row

# The first directory points past the end of the file, or its tables do: the second is used.
make_vmdk hosted two.vmdk raw redundant=1 unclean=1
same_as_qemu two.vmdk
cp two.vmdk first.vmdk
hex first.vmdk 56 ffffff0000000000
holds first.vmdk raw
gd=$(python3 -c 'import struct
print(struct.unpack("<Q", open("two.vmdk", "rb").read(512)[56:64])[0] * 512)')
cp two.vmdk table.vmdk
hex table.vmdk "$gd" ffffff7f
holds table.vmdk raw

# A hosted sparse file that holds nothing but the descriptor of other extents.
{
	printf 'KDMV\1\0\0\0\1\0\0\0'
	head -c 16 /dev/zero
	printf '\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0'
} >carrier.vmdk
truncate -s 512 carrier.vmdk
hex carrier.vmdk 73 0a200d0a
descriptor text 'RW 1200 FLAT "part0"' 'RW 1200 FLAT "part1" 0'
cat text >>carrier.vmdk
truncate -s 1024 carrier.vmdk
cat part0 part1 >two
holds carrier.vmdk two
