#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What convert and create cannot do they refuse, in one line and with the right status, and leave
# nothing behind.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-convert.sh" || exit 99
requires_fuse

head -c 3M /dev/urandom >disk.img
mkdir to
echo precious >to/file

# refused STATUS TEXT ARGUMENT...
refused() {
	local before
	before=$(ls -AR to)
	expect "$1" "$PLATTER" "${@:3}" </dev/null
	same "stdout" "$(cat out)" ""
	same "lines on stderr" "$(wc -l <err)" 1
	grep -q "^platter: $2" err || fail "does not say '$2'"
	same "files" "$(ls -AR to)" "$before"
}
for format in raw qcow2 vdi vmdk vhd vhdx; do
	refused 2 'to/file: cannot be made: File exists' convert --format $format disk.img to/file
	refused 2 'to/file: cannot be made: File exists' create --format $format to/file 1M
done
same "what was there" "$(cat to/file)" precious
refused 2 'disk.img: cannot be made: File exists' convert disk.img disk.img
refused 32 'to/none/new: cannot be made: No such file' convert disk.img to/none/new
refused 32 'nowhere: ' convert nowhere to/new

refused 1 'to/new.dmg: its extension is that of no format' convert disk.img to/new.dmg
refused 1 'to/backup.2026-01-01: its extension' convert disk.img to/backup.2026-01-01
refused 1 '--format dmg: not a format to write' convert --format dmg disk.img to/new
refused 1 '--compress zlib with --format raw: only qcow2' convert --compress zlib disk.img to/new
refused 1 '--compress zlib with --format vdi: only qcow2' convert --compress zlib disk.img to/new.vdi
refused 1 '--compress zstd with --format vmdk: only qcow2' convert --compress zstd disk.img to/new.vmdk
refused 1 '--compress xz with --format qcow2: ' convert --compress xz disk.img to/new.qcow2
! lacks_zstd || refused 32 'zstd needs libzstd' convert --compress zstd disk.img to/new.qcow2
refused 1 'convert: --thin: no such option' convert --thin disk.img to/new
refused 1 'convert: too few operands' convert disk.img
refused 32 '.*disk.img: no partition 3' convert -p 3 disk.img to/new

for size in 0 1.5G 12X '' 1KK 9999999P 0x; do
	refused 1 'create: .*: not a size' create to/new.img "$size"
done
refused 2 'to/new.img: a disk of 9223372036854775807 bytes, expected' create to/new.img 9223372036854775807
refused 32 'to/new.vhd: a disk of .*, in vhd at most 2190433320960' create to/new.vhd 2041G
refused 32 'to/new.vhdx: a disk of .*, in vhdx at most' create to/new.vhdx 65T
refused 32 'to/new.qcow2: a disk of .*, in qcow2 at most' create to/new.qcow2 3P
refused 32 'to/new.vmdk: a disk of .*, in vmdk at most' create to/new.vmdk $((128 * 1024**4 + 512))
refused 32 'to/new.vdi: a disk of .*, in vdi at most 562949819203584' create to/new.vdi $((562949819203584 + 512))
refused 32 'to/a"b.vmdk: a quotation mark' convert disk.img 'to/a"b.vmdk'

attach disk.img mnt --overlay=changes
poke mnt/disk 5000 changed
refused 32 'changes: is attached: umount it first' convert changes to/new
detach mnt
refused 1 'changes: is an overlay itself' convert --overlay=changes changes to/new

# A file as large as may be, and a full disk.
(
	ulimit -f 1024
	for format in raw qcow2 vdi vmdk vhd vhdx; do
		refused 2 'to/new: cannot be .*: File too large' convert -q --format $format disk.img to/new
	done
) || exit 1
[ "$(id -u)" = 0 ] || exit 0
expect 0 mount -t tmpfs -o size=1m none to
for format in raw qcow2 vdi vmdk vhd vhdx; do
	refused 2 'to/new: cannot be written: No space left on device' convert --format $format disk.img to/new
done
