#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A thin export over an image in another container records that format by QEMU's name for it, and
# reads in QEMU as the raw export; where QEMU cannot read the image as it is shown, it is refused.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires gzip qemu-img

fill disk.raw $((8 << 20))
qemu-img convert -f raw -O qcow2 disk.raw disk.qcow2 || fail "convert to qcow2"
qemu-img snapshot -c before disk.qcow2 || fail "snapshot"
qemu-img convert -f raw -O vpc -o force_size=on disk.raw disk.vhd || fail "convert to vpc"
gzip -k disk.raw

# change IMAGE OVERLAY [OPTION...]
change() {
	local image=$1 overlay=$2

	shift 2
	attach "$@" "$image" mnt --overlay="$overlay"
	printf 'changed' | poke mnt/disk 5000000 || fail "$image: cannot be written"
	detach mnt
}

for format in qcow2:qcow2 vhd:vpc; do
	image=disk.${format%:*}
	change "$image" "$image.changes"
	expect 0 "$PLATTER" export --thin "$image.changes" thin.qcow2
	expect 0 "$PLATTER" export "$image.changes" whole
	expect 0 qemu-img info -f qcow2 --output=json thin.qcow2
	same "format of $image" "$(json out 'j["backing-filename-format"]')" "${format#*:}"
	expect 0 qemu-img compare -f raw -F qcow2 whole thin.qcow2
	rm thin.qcow2 whole
done

change disk.raw.gz packed
expect 32 "$PLATTER" export --thin packed thin.qcow2
grep -q 'in gzip format, which it cannot' err || fail "gzip: $(cat err)"
change disk.qcow2 past --snapshot before
expect 32 "$PLATTER" export --thin --base disk.qcow2 past thin.qcow2
grep -q 'as of a snapshot, in qcow2 format' err || fail "snapshot: $(cat err)"
[ ! -e thin.qcow2 ] || fail "something was left behind"
