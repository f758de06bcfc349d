#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --snapshot shows the disk as it was at an internal snapshot, by id or name, with the size it had
# then; an overlay over a snapshot remembers which one, and goes over no other state.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires qemu-img qemu-io

# state NAME COMMAND...: change the disk, keep what it is in NAME.raw, and make a snapshot of it.
state() {
	local name=$1

	shift
	expect 0 qemu-io -f qcow2 "$@" snap.qcow2
	expect 0 qemu-img convert -f qcow2 -O raw snap.qcow2 "$name.raw"
	expect 0 qemu-img snapshot -c "$name" snap.qcow2
}

fill disk.raw 2000384 1
expect 0 qemu-img convert -c -f raw -O qcow2 -o cluster_size=4k disk.raw snap.qcow2
state one -c 'write -P 1 100000 300000'
state two -c 'write -z 0 65536' -c 'write -P 2 1000000 5000'
expect 0 qemu-img resize -q snap.qcow2 9M
state 1st -c 'write -P 3 2000384 5000000' -c 'discard 200000 100000'
expect 0 qemu-img resize -q --shrink snap.qcow2 1M
expect 0 qemu-io -f qcow2 -c 'write -P 4 0 1M' snap.qcow2
expect 0 qemu-img convert -f qcow2 -O raw snap.qcow2 now.raw

same_disk snap.qcow2 now.raw
for name in one two 1st; do
	same_disk snap.qcow2 $name.raw --snapshot $name
done
for id in 1 2 3; do
	same_disk snap.qcow2 "$(echo one two 1st | cut -d' ' -f$id).raw" --snapshot $id
done
# An id goes before a name.
expect 0 qemu-img snapshot -c 1 snap.qcow2
same_disk snap.qcow2 one.raw --snapshot 1
refuses snap.qcow2 'snapshot three: none of its 4 snapshots has that id or name' --snapshot three
refuses disk.raw 'snapshot one: images in raw format keep none' --snapshot one

mkdir mnt
attach --snapshot two --overlay=two.overlay snap.qcow2 mnt
poke mnt/disk 1000000 "over two"
detach mnt
cp two.raw want.raw
poke want.raw 1000000 "over two"
# It knows its snapshot by itself.
same_disk snap.qcow2 want.raw --overlay=two.overlay
same_disk snap.qcow2 want.raw --overlay=two.overlay --snapshot 2
expect 0 "$PLATTER" status two.overlay
expect 1 "$PLATTER" diff two.overlay
expect 32 "$PLATTER" attach --snapshot 1st --overlay=two.overlay snap.qcow2 mnt
grep -q 'made for an image of\|made for another snapshot' err || fail "another snapshot"
# Nor does an overlay over the present go over a snapshot of the same size.
expect 0 qemu-img snapshot -c same snap.qcow2
attach --overlay=now.overlay snap.qcow2 mnt
detach mnt
expect 32 "$PLATTER" attach --snapshot same --overlay=now.overlay snap.qcow2 mnt
grep -q 'made for another snapshot in the image' err || fail "another state"
same_disk snap.qcow2 now.raw --overlay=now.overlay
# When its snapshot is gone, so is what it is over.
expect 0 qemu-img snapshot -d two snap.qcow2
expect 32 "$PLATTER" attach --overlay=two.overlay snap.qcow2 mnt
grep -q 'the snapshot that the overlay was made over is not in it' err || fail "a deleted snapshot"
