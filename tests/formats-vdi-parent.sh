#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Differencing VDIs find their parent by its UUID among the files of the folder or of --chain=DIR, a
# grandparent too; free blocks are the parent's, blocks marked as zeros are not. A parent that is
# missing, that was written to since, or that must not be opened is refused with its UUID; so is one
# that may be another, because a file cannot be read or because two have its UUID.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vdi.sh"
requires_fuse
requires qemu-img python3

fill one 3000000 1
cp one two
fill other 3000000 2
dd if=other of=two bs=65536 skip=5 seek=5 count=9 conv=notrunc status=none
dd if=/dev/zero of=two bs=65536 seek=20 count=4 conv=notrunc status=none
cp two three
dd if=other of=three bs=65536 skip=30 seek=30 count=3 conv=notrunc status=none
truncate -s 4000000 three
qemu-img convert -O vdi one Base.VDI || fail "qemu-img"
make_vdi two.vdi two block=65536 parent=Base.VDI,one
make_vdi three.vdi three block=4096 parent=two.vdi,two
echo "no image" >broken.vdi
mkdir folder.vdi
qemu-img create -q -f vdi unrelated.vdi 1M
same_disk two.vdi two
same_disk three.vdi three

uuid=$(python3 -c 'import uuid
print(uuid.UUID(bytes_le=open("Base.VDI", "rb").read()[0x188:0x198]))')
refuses two.vdi "parent of UUID $uuid: the image's folder is not looked into, because of --chain=no" \
	--chain=no
mkdir snapshots
mv two.vdi three.vdi snapshots
refuses snapshots/two.vdi "parent of UUID $uuid: no *.vdi in the image's folder, or in that of"
same_disk snapshots/three.vdi three --chain="$tmp"

cp Base.VDI kept
vdi_field Base.VDI $((0x198)) 00112233445566778899aabbccddeeff
refuses snapshots/two.vdi \
	'was written to since: its modification UUID is 33221100-5544-7766-8899-aabbccddeeff' --chain=.
# A copy that was not written to is found before the one that was, and a child may not say.
cp kept copy.vdi
same_disk snapshots/two.vdi two --chain=.
rm copy.vdi
vdi_field snapshots/two.vdi $((0x1b8)) 00000000000000000000000000000000
same_disk snapshots/two.vdi two --chain=.
# Unless there are two, of which it may be either; two that were changed alike are the same.
cp kept older.vdi
refuses snapshots/two.vdi "parent of UUID $uuid: \"" --chain=.
grep -qE '"(Base.VDI|older.vdi)" and "(Base.VDI|older.vdi)" have it and differ' err || fail "$(cat err)"
cp Base.VDI older.vdi
same_disk snapshots/two.vdi two --chain=.
rm older.vdi
vdi_field snapshots/two.vdi $((0x1a8)) 00000000000000000000000000000000
refuses snapshots/two.vdi 'a differencing image that names no parent' --chain=.

# A file in the folder of --chain that is called as one beside the image.
mkdir kid base
qemu-img convert -O vdi one base/disk.vdi || fail "qemu-img"
make_vdi kid/disk.vdi two block=65536 parent=base/disk.vdi,one
same_disk kid/disk.vdi two --chain=base
mv kid/disk.vdi base/kid.vdi
same_disk base/kid.vdi two --chain=base
cp one kid/disk.vdi
cp base/kid.vdi kid
same_disk kid/kid.vdi two --chain=base

# What cannot be read may be the parent: an older one is not taken for it, nor is it not there. But
# the one that it is said to be is.
command -v strace >/dev/null || exit 0
requires_strace
cd base || exit 99
# unreadable STATUS COMMAND...: with a read error in the first bytes of disk.vdi.
unreadable() {
	expect "$1" strace -qq -f -o "$tmp/calls" -P disk.vdi -e trace=pread64 \
		-e inject=pread64:error=EIO:when=1 "$PLATTER" info kid.vdi
}
unreadable 32
grep -qF '"disk.vdi" may be it, but cannot be read: Input/output error' "$tmp/err" || fail "reason"
cp disk.vdi copy.vdi
unreadable 0
vdi_field copy.vdi $((0x198)) 00112233445566778899aabbccddeeff
unreadable 32
vdi_field kid.vdi $((0x1b8)) 00000000000000000000000000000000
unreadable 32
grep -qF '"disk.vdi" may be it, but cannot be read: Input/output error' "$tmp/err" || fail "reason"
