#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Types and labels are found too where they stand far from both ends of a filesystem: NTFS is told by
# its MFT, which Windows puts 3 GiB in, and FAT32's label is in its root directory behind the FATs.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires mkntfs mkfs.fat python3

truncate -s 5G ntfs.img fat.img
mkntfs -q -F -Q -L FARAWAY ntfs.img >mkntfs.log 2>&1 || fail mkntfs
mkfs.fat -F 32 -s 8 -n ROOTLABEL fat.img >/dev/null || fail mkfs.fat
python3 - <<'END' || fail "moving things"
import struct
with open("ntfs.img", "r+b") as f:
    boot = bytearray(f.read(512))
    cluster = struct.unpack_from("<H", boot, 11)[0] * boot[13]
    old, new = struct.unpack_from("<Q", boot, 48)[0], 786432
    f.seek(old * cluster)
    mft = f.read(1 << 17)
    f.seek(old * cluster)
    f.write(bytes(1 << 17))
    f.seek(new * cluster)
    f.write(mft)
    struct.pack_into("<Q", boot, 48, new)
    f.seek(0)
    f.write(boot)
with open("fat.img", "r+b") as f:
    f.seek(71)
    f.write(b"NO NAME    ")
END
for image in ntfs fat; do
	expect 0 "$PLATTER" info --json $image.img
	mv out $image.json
	# The same through an overlay, over which libblkid could not read by itself.
	expect 0 "$PLATTER" info --json --overlay=ram $image.img
	same "$image through an overlay" "$(json out 'j["fs"]')" "$(json $image.json 'j["fs"]')"
done
same "NTFS" "$(json ntfs.json 'j["fs"]["type"], j["fs"]["label"]')" "('ntfs', 'FARAWAY')"
same "FAT32" "$(json fat.json 'j["fs"]["type"], j["fs"]["label"]')" "('vfat', 'ROOTLABEL')"
