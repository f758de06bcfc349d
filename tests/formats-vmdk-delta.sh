#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Delta links: what they do not hold is their parent's, up to a grandparent, through hosted sparse,
# COWD and seSparse extents; a shorter parent ends in zeros. A parent that is missing, that was
# written to since, that is in another folder or that must not be opened is refused, with the name
# and both CIDs.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires_fuse
requires qemu-img qemu-io python3

fill one $((3 << 20))
qemu-img convert -O vmdk one base.vmdk || fail "qemu-img"
qemu-img create -q -f vmdk -b base.vmdk -F vmdk two.vmdk 4M || fail "qemu-img"
qemu-io -f vmdk -c 'write -P 7 65536 200000' -c 'write -z 1M 512k' two.vmdk >log ||
	fail "qemu-io: $(cat log)"
qemu-img create -q -f vmdk -o subformat=twoGbMaxExtentSparse -b two.vmdk -F vmdk three.vmdk ||
	fail "qemu-img"
qemu-io -f vmdk -c 'write -P 9 100000 3000' three.vmdk >log || fail "qemu-io: $(cat log)"
for image in two three; do
	qemu-img convert -O raw $image.vmdk want || fail "qemu-img"
	same_disk $image.vmdk want
done

# cid_of FILE NAME
cid_of() {
	printf '%08x\n' "0x$(LC_ALL=C grep -am1 "^$2=" "$1" | cut -d= -f2)"
}
base=$(cid_of base.vmdk CID)
refuses two.vmdk 'parent "base.vmdk": not opened, because of --chain=no' --chain=no
mkdir elsewhere
mv base.vmdk elsewhere
refuses two.vmdk "parent \"base.vmdk\": not in the image's folder; --chain=DIR adds one"
same_disk three.vmdk want --chain=elsewhere
qemu-io -f vmdk -c 'write -P 1 0 512' elsewhere/base.vmdk >log || fail "qemu-io: $(cat log)"
now=$(cid_of elsewhere/base.vmdk CID)
[ "$now" != "$base" ] || fail "qemu-io did not change the CID"
refuses two.vmdk "parent \"base.vmdk\" was written to since: its CID is $now, recorded $base" \
	--chain=elsewhere
refuses three.vmdk "parent \"two.vmdk\": parent \"base.vmdk\" was written to since" --chain=elsewhere
cp one elsewhere/base.vmdk
refuses two.vmdk 'is not in vmdk format' --chain=elsewhere

# Snapshots as ESX makes them: grains that the child has, that it has not, and that it has as zeros.
cp one child
dd if=/dev/zero of=child bs=4096 seek=7 count=30 conv=notrunc status=none
head -c 50000 /dev/urandom | poke child 500000
sectors=$((3 << 11))
descriptor flat.vmdk "RW $sectors VMFS \"one\""
more=$'parentCID=fffffffe\nparentFileNameHint="flat.vmdk"'
descriptor snap.vmdk "RW $sectors SESPARSE \"snap-sesparse.vmdk\""
for zeros in 1 2; do
	make_vmdk sesparse snap-sesparse.vmdk child zeros=$zeros below=one
	holds snap.vmdk child
done
descriptor snap.vmdk "RW $sectors SPARSE \"snap-s001.vmdk\""
make_vmdk hosted snap-s001.vmdk child grain=8 below=one bare=1
holds snap.vmdk child
for half in child one; do
	dd if=$half of=$half.1 bs=512 count=3000 status=none
	dd if=$half of=$half.2 bs=512 skip=3000 status=none
done
descriptor snap.vmdk 'RW 3000 SPARSE "s1"' "RW $((sectors - 3000)) SPARSE \"s2\""
make_vmdk hosted s1 child.1 grain=8 below=one.1 bare=1
make_vmdk hosted s2 child.2 grain=8 below=one.2 bare=1
same_disk snap.vmdk child
cp one child
head -c 50000 /dev/urandom | poke child 500000
descriptor snap.vmdk "RW $sectors VMFSSPARSE \"snap-delta.vmdk\""
make_vmdk cowd snap-delta.vmdk child below=one
same_disk snap.vmdk child

# The number of a disk that never was written to may be the one that stands for no parent.
sed -i s/CID=fffffffe/CID=ffffffff/ flat.vmdk
refuses snap.vmdk 'parent "flat.vmdk" was written to since: its CID is ffffffff, recorded fffffffe'
sed -i s/parentCID=fffffffe/parentCID=ffffffff/ snap.vmdk
holds snap.vmdk child
sed -i /^CID=/d flat.vmdk
refuses snap.vmdk 'parent "flat.vmdk": it has no CID, recorded is ffffffff'

more=$'parentCID=fffffffe\nparentFileNameHint="snap.vmdk"'
descriptor snap.vmdk "RW $sectors VMFSSPARSE \"snap-delta.vmdk\""
refuses snap.vmdk 'the image stands on itself'
more=$'parentCID=fffffffe\nparentFileNameHint="/vmfs/volumes/disk/flat.vmdk"'
descriptor snap.vmdk "RW $sectors VMFSSPARSE \"snap-delta.vmdk\""
refuses snap.vmdk 'parent "/vmfs/volumes/disk/flat.vmdk": another folder'
more='parentCID=fffffffe'
descriptor snap.vmdk "RW $sectors VMFSSPARSE \"snap-delta.vmdk\""
refuses snap.vmdk 'the difference to a parent of CID fffffffe, without its name'
