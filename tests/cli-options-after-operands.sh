#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Options may stand before, between and after operands; -- ends them; long ones may be abbreviated
# and take their value with = or without.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires sfdisk mkfs.ext4 xorriso

make_iso disc.iso
make_ext4_disk disk.img
"$PLATTER" info --json disk.img >want || fail info
for args in 'disk.img --json' '--json disk.img' '--json -- disk.img' '--json -v disk.img -q' \
	'disk.img --json -o ro -o noatime'; do
	# shellcheck disable=SC2086
	expect 0 "$PLATTER" info $args
	same_bytes want out
done
"$PLATTER" ls -l disc.iso dir/deeper >want || fail ls
for args in 'disc.iso -l dir/deeper' 'disc.iso dir/deeper -l' 'disc.iso -ql dir/deeper'; do
	# shellcheck disable=SC2086
	expect 0 "$PLATTER" ls $args
	same_bytes want out
done
peek disk.img 1048576 41943040 >want
for args in 'disk.img -p1' 'disk.img -p 1' 'disk.img --partition 1' '--partition=1 disk.img' \
	'disk.img --part=1'; do
	# shellcheck disable=SC2086
	expect 0 "$PLATTER" cat $args
	same_bytes want out
done
expect 0 "$PLATTER" cp disc.iso dir -r hello.txt . -q
same_bytes iso-source/hello.txt hello.txt
same_bytes iso-source/dir/deeper/data.bin dir/deeper/data.bin

# An image, and a file in it, whose names begin with a dash.
mkdir dashes
echo dash >dashes/-p
xorriso -as mkisofs -quiet -R -o ./-o dashes >log 2>&1 || fail "xorriso: $(cat log)"
expect 0 "$PLATTER" cat -- -o -p
same "-p" "$(cat out)" dash
expect 0 "$PLATTER" ls -- -o
same "names" "$(cat out)" -p
# An image that has the name of a command.
cp disc.iso mount
expect 0 "$PLATTER" ls mount
