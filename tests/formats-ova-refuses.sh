#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# OVAs that are broken, or whose disk is stored in a way that is not supported, are refused with what
# is wrong; any other archive is no OVA.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires tar python3 gzip

fill raw 300032
echo '<Envelope/>' >vm.ovf
make_vmdk stream disk.vmdk raw
size=$(stat -c %s disk.vmdk)

tar -cf bad.ova vm.ovf
refuses bad.ova 'holds no disk'
gzip -k disk.vmdk
tar -cf bad.ova vm.ovf disk.vmdk.gz
refuses bad.ova 'disk disk.vmdk.gz is compressed by gzip, which is not supported'
mv disk.vmdk.gz gzipped.vmdk
tar -cf bad.ova vm.ovf gzipped.vmdk
refuses bad.ova 'disk gzipped.vmdk is compressed by gzip, which is not supported'
cp disk.vmdk disk.vmdk.000000000
tar -cf bad.ova vm.ovf disk.vmdk.000000000
refuses bad.ova 'disk disk.vmdk.000000000 is in several parts, which is not supported'
truncate -s 1M holes.img
for format in gnu pax; do
	tar -S --format=$format -cf bad.ova vm.ovf holes.img
	refuses bad.ova 'was archived as a sparse file, which is not supported'
done
mapfile -t many < <(printf 'd%d.img\n' {1..256})
for name in "${many[@]}"; do : >"$name"; done
tar -cf bad.ova vm.ovf "${many[@]}"
refuses bad.ova 'more than 255 disks'
tar -cf bad.ova vm.ovf d1.img
refuses bad.ova 'a virtual disk of 0 bytes'

tar -cf good.ova vm.ovf disk.vmdk
cp good.ova bad.ova
truncate -s $((1536 + size - 1)) bad.ova
refuses bad.ova "the member of $size bytes at byte 1536 passes the end of the file at $((1536 + size - 1))"
# broken OFFSET HEX TEXT
broken() {
	cp good.ova bad.ova
	hex bad.ova "$1" "$2"
	python3 - "$(($1 / 512 * 512))" <<'PY'
import sys
at = int(sys.argv[1])
f = open("bad.ova", "r+b")
f.seek(at)
h = bytearray(f.read(512))
h[148:156] = b" " * 8
f.seek(at + 148)
f.write(b"%06o\0 " % sum(h))
PY
	refuses bad.ova "$3"
}
broken $((1024 + 124)) 803fffffffffffffffffffff 'has no size that can be read'
broken $((1024 + 124)) 800000007fffffffffffffff "the member of 9223372036854775807 bytes at byte 1536 passes"
broken $((1024 + 124)) 80000000ffffffffffffffff "the member of 18446744073709551615 bytes at byte 1536 passes"
broken $((1024 + 124)) 810000000000000000000001 'has no size that can be read'
broken $((1024 + 124)) 39393939 'has no size that can be read'
cp good.ova bad.ova
hex bad.ova 1024 ff
refuses bad.ova 'no tar header at byte 1024'
tar -H pax --pax-option="comment:=$(printf "%070000d" 0)" -cf bad.ova vm.ovf
tar -cf first.tar vm.ovf
{ head -c 1024 first.tar; cat bad.ova; } >long.ova
refuses long.ova 'an extended tar header of 70'
python3 - <<'PY'
import tarfile
with tarfile.open("crowd.ova", "w") as t:
    t.add("vm.ovf")
    for i in range(4100):
        t.addfile(tarfile.TarInfo(f"{i}"))
PY
refuses crowd.ova 'more than 4096 tar headers'

# No description: an archive of anything, whose bytes are shown as they are.
tar -cf plain.tar disk.vmdk
same_plain=$(sha256 plain.tar)
expect 0 "$PLATTER" info plain.tar
grep -q ': raw,' out || fail "says $(cat out)"
expect 0 "$PLATTER" cat -p 0 plain.tar
same "plain.tar" "$(sha256 out)" "$same_plain"
refuses plain.tar 'is not in ova format' --format ova
