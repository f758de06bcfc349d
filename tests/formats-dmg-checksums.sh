#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The checksums of a dmg's tables are those of the disk without what the tables say to ignore, each
# damaged chunk makes one of them wrong, and what is odd about the tables is noted: a master checksum
# that is another, sectors in no table and in several. DiskCopy's checksum is that of the disk too.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires python3

# sums IMAGE: what image-sums says.
sums() {
	"$builddir/tests/image-sums" "$1" >out 2>err || fail "$1"
}

fill disk 3500032 6
for options in "codec=zlib tables=1,34,1000" "codec=raw zero=2 chunk=8" "codec=zlib zero=0 chunk=8" \
	"codec=bzip2 fork=yes tables=5 chunk=16"; do
	# shellcheck disable=SC2086
	python3 "$srcdir/tests/udif.py" disk sums.dmg $options || fail "udif.py"
	"$PLATTER" info sums.dmg >/dev/null 2>err ||
		{ grep -q 'which this build lacks' err && continue; }
	sums sums.dmg
	! grep -qv '^crc32 .* good table ' out || fail "$options: $(cat out)"
	same "tables of $options" "$(wc -l <out)" "$(($(tr -cd , <<<"$options" | wc -c) +
		$(grep -c tables <<<"$options") + 1))"
done
python3 "$srcdir/tests/udif.py" disk zero2.dmg codec=raw zero=2 chunk=8
sums zero2.dmg
grep -q '^crc32 0 3500032 [1-9]' out || fail "no gaps: $(cat out)"
printf 'X' | dd of=zero2.dmg bs=1 seek=100 conv=notrunc status=none
sums zero2.dmg
grep -q ' wrong table 0 (part 0)$' out || fail "damage is not seen: $(cat out)"

cat >make.py <<'END'
import os, struct, sys
sys.path.insert(0, os.environ["srcdir"] + "/tests")
from udif import *

disk = open("disk", "rb").read()
image = bytearray(build(disk))
image[-512 + 0x168] ^= 1
open("master.dmg", "wb").write(image)
open("untold.dmg", "wb").write(build(disk, sectors=len(disk) // 512 + 100))
open("twice.dmg", "wb").write(build(disk, codec="raw", tables="512",
                                    edit=lambda tables: tables.append(tables[-1])))
def disorder(tables):
    t = tables[0]
    tables[0] = t[:244] + t[284:324] + t[244:284] + t[324:]
open("disorder.dmg", "wb").write(build(disk, edit=disorder))
whole = disk + trailer(len(disk) // 512, (0, len(disk)), data_crc=zlib.crc32(disk))
open("whole.dmg", "wb").write(whole)
def dc42(data):
    c = 0
    for (word,) in struct.iter_unpack(">H", data):
        c = c + word & 0xffffffff
        c = c >> 1 | (c & 1) << 31
    return c
open("floppy.image", "wb").write(b"\x04test".ljust(64, b"\0") + struct.pack(
    ">IIIIBBH", len(disk), 0, dc42(disk), 0, 3, 0x22, 0x100) + disk)
END
srcdir=$srcdir python3 make.py || fail "make.py"
sums master.dmg
grep -q '^note: the master checksum is [0-9a-f]*, that of the tables. checksums ' out || fail "$(cat out)"
sums untold.dmg
grep -q '^note: 100 sectors are in no table, and read as zeros$' out || fail "$(cat out)"
sums twice.dmg
grep -q '^note: [1-9][0-9]* sectors stand in more than one chunk$' out || fail "$(cat out)"
sums disorder.dmg
[ ! -s out ] || fail "a checksum of chunks out of order: $(cat out)"
sums whole.dmg
same "image without tables" "$(cat out)" "crc32 0 3500032 0 good data fork"
sums floppy.image
same "DiskCopy image" "$(cat out)" "dc42 0 3500032 0 good "
