#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# convert --used leaves out exactly the clusters that NTFS's own bitmap, as ntfscat reads it, has as
# free; ntfsfix finds no fault with the copy, and the files are the same. A volume that is marked
# dirty, or whose journal is open, is copied whole.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-convert.sh" || exit 99
requires mkntfs ntfscat ntfscp ntfsfix

M=1048576
head -c 300001 /dev/urandom >random
seq 100000 >numbers

# make SIZE ARGUMENT...: fs, full of junk where nothing was written
make() {
	junk fs "$1"
	expect 0 mkntfs -Q -F -q "${@:2}" fs
	expect 0 ntfscp -q fs random random
	expect 0 ntfscp -q fs numbers numbers
	expect 0 ntfsfix -n fs
}

free_ranges() { # CLUSTER
	ntfscat -i 6 fs >bitmap 2>/dev/null
	python3 -c 'import struct, sys
d, boot = open("bitmap", "rb").read(), open("fs", "rb").read(512)
total, = struct.unpack_from("<Q", boot, 40)
size = int(sys.argv[1])
for n in range(total * 512 // size):
    if not d[n // 8] >> n % 8 & 1:
        print(n * size, n * size + size - 1)
' "$1"
}

exact() { # CLUSTER SIZE ARGUMENT...
	make "${@:2}" -c "$1"
	rm -f copy
	expect 0 "$PLATTER" convert --used fs copy
	same "stderr" "$(cat err)" ""
	free_ranges "$1" >ranges
	only_free fs copy 0 <ranges
	expect 0 ntfsfix -n copy
	for file in random numbers; do
		ntfscat copy "$file" >got 2>/dev/null
		same_bytes got "$file"
	done
}
exact 4096 $((20 * M))
exact 512 $((20 * M))
exact 65536 $((40 * M))

whole() {
	rm -f copy
	expect 0 "$PLATTER" convert --used fs copy
	grep -q "$1.*; all of it is copied" err || fail "does not say '$1'"
	same_bytes fs copy
}
# at RECORD: where it stands
at() {
	python3 -c 'import struct, sys
boot = open("fs", "rb").read(512)
print(struct.unpack_from("<Q", boot, 48)[0] * 4096 + 1024 * int(sys.argv[1]))' "$1"
}
# poke_attr RECORD TYPE OFFSET BYTES: into the value of a resident attribute
make $((20 * M)) -c 4096
python3 -c 'import struct, sys
at = int(sys.argv[1])
f = open("fs", "r+b")
f.seek(at)
r = bytearray(f.read(1024))
a, = struct.unpack_from("<H", r, 20)
while struct.unpack_from("<I", r, a)[0] != 0x70:
    a += struct.unpack_from("<I", r, a + 4)[0]
a += struct.unpack_from("<H", r, a + 20)[0]
r[a + 10] |= 1
f.seek(at)
f.write(r)' "$(at 3)"
whole 'it was not unmounted cleanly'

# A journal that somebody has open: a restart page with a client.
make $((20 * M)) -c 4096
python3 -c 'import struct, sys
f = open("fs", "r+b")
d = f.read()
f.seek(0)
at = d.index(b"\xff" * 65536) # emptied by mkntfs
page = bytearray(4096)
struct.pack_into("<4sHHQIIH", page, 0, b"RSTR", 30, 9, 0, 4096, 4096, 48)
struct.pack_into("<QHHHH", page, 48, 5, 1, 0xffff, int(sys.argv[1]), 0)
f.seek(at)
f.write(page)' 0
whole 'it was not unmounted cleanly'

# What cannot be what it says.
make $((20 * M)) -c 4096
printf 'BAAD' | poke fs "$(at 6)"
whole 'Bitmap'
make $((20 * M)) -c 4096
printf 'BAAD' | poke fs "$(at 0)"
rm -f copy
expect 0 "$PLATTER" convert --used fs copy
same_bytes fs copy
