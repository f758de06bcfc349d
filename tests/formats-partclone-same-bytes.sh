#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# partclone's images: what is served is what partclone.restore writes: version 0002 of several
# filesystems, block sizes, intervals of checksums and without any, and version 0001, which only old
# partclones write: made here by its description, and restored by the one of today as well.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires partclone.ext4 partclone.fat partclone.restore mkfs.ext4 debugfs mkfs.vfat

# They sleep more than they work.
at_once() { # COMMAND...: in the background, its output in a file of its own
	n=$((${n:-0} + 1))
	("$@" >"log.$n" 2>&1 || echo "$*: $(tail -3 "log.$n")" >>failed) &
}
all_done() {
	wait
	[ ! -e failed ] || fail "$(cat failed)"
}
restore() {
	at_once partclone.restore -q -C -L "log.$2" --restore_raw_file -s "$1" -o "$2"
}

head -c 3000000 /dev/urandom >file
for size in 1024 4096; do # the variants with blocks of 1024 bytes, of which there are more
	truncate -s 20M ext$size
	mkfs.ext4 -q -F -b $size ext$size || fail "mkfs.ext4"
	debugfs -w -R "write file one" ext$size 2>/dev/null >debugfs.log
	# partclone.restore crashes over intervals that are no power of two: what it makes of the first is
	# what the others hold, too.
	at_once partclone.ext4 -q -c -s ext$size -o $size-a.img -L log.$size-a
	[ $size = 1024 ] || continue
	at_once partclone.ext4 -q -c -a 0 -s ext$size -o $size-b.img -L log.$size-b
	at_once partclone.ext4 -q -c -k 7 -s ext$size -o $size-c.img -L log.$size-c
	at_once partclone.ext4 -q -c -k 100000 -s ext$size -o $size-d.img -L log.$size-d
done
truncate -s 20M fat
mkfs.vfat fat >/dev/null || fail "mkfs.vfat"
at_once partclone.fat -q -c -s fat -o fat.img -L log.fat

python3 - <<'PY'
import random, struct, zlib
rng = random.Random(3)
block, total = 1024, 40000
used = bytes(rng.choice((0, 1)) if i % 300 < 150 else i % 3 == 9 for i in range(total))
disk, data = [], []
for u in used:
    b = rng.randbytes(block) if u else bytes(block)
    disk.append(b)
    if u:
        data.append(b + b"sum!")
head = b"partclone-image" + b"EXTFS".ljust(15, b"\0") + b"0001" + b"\0\0" + struct.pack("<IQQQ", block, block * total, total, sum(used)) + bytes(4096)
open("v1.img", "wb").write(head + used + b"BiTmAgIc" + b"".join(data))
open("v1.raw", "wb").write(b"".join(disk))
PY
at_once partclone.restore -q -C -L log.v1 --restore_raw_file --ignore_crc -s v1.img -o v1.back
all_done
for image in 1024-a 4096-a fat; do
	restore $image.img $image.back
done
all_done
same_bytes v1.back v1.raw
same_disk v1.img v1.raw
same_disk fat.img fat.back
[ "$(stat -c %s 1024-a.back)" -gt 20000000 ] || fail "nothing was restored"
same_disk 4096-a.img 4096-a.back
for how in a b c d; do
	same_disk 1024-$how.img 1024-a.back
done
