#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# OVAs cut at any length and damaged in any place hurt nobody.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires tar python3

fill raw 40448
make_vmdk stream disk.vmdk raw grain=16
echo '<Envelope/>' >vm.ovf
echo "SHA256(disk.vmdk)= $(sha256 disk.vmdk)" >vm.mf
long=$(printf '%0150d' 0)
mkdir -p "$long"
cp disk.vmdk "$long/disk.vmdk"
for dialect in gnu pax; do
	tar --format=$dialect -b 1 -cf $dialect.ova vm.ovf vm.mf "$long/disk.vmdk" || fail "tar"
	hostile ova $dialect.ova 2000
done

# A manifest, or a description, that cannot be read is not one that is not there.
if command -v qemu-img >/dev/null; then
	qemu-img convert -O vdi raw disk.vdi || fail "qemu-img"
	mv vm.ovf "${long::120}.ovf"
	echo "SHA256(disk.vdi)= $(sha256 disk.vdi)" >vm.mf
	for dialect in gnu pax; do
		tar --format=$dialect --owner=someone -cf unread.ova "${long::120}.ovf" vm.mf disk.vdi || fail "tar"
		unreadable ova unread.ova
	done
fi
