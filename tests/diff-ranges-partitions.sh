#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ranges end where partitions do, and name the one that they lie in: logical ones before the extended
# one around them, of overlapping ones the lowest number, none for the table and gaps. -p takes one.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk

sector=512
# ranges WANTED...: "FIRST-END:PARTITION", in sectors.
ranges() {
	expect 1 "$PLATTER" diff --json "${part[@]}" ov
	same "ranges ${part[*]}" "$(json out "' '.join('%d-%d:%s' % (r['start'] // $sector,
		(r['start'] + r['size']) // $sector, r['partition']) for r in j['ranges'])")" "$*"
}

# write FIRST COUNT: other bytes there, in sectors.
write() {
	head -c $(($2 * sector)) /dev/urandom | poke mnt/disk $(($1 * sector))
}

# ---- MBR: 1, the extended 2 with 5 and 6 in it
part=()
truncate -s 16M disk.img
sfdisk -q disk.img <<'EOF' >/dev/null || fail "sfdisk"
label: dos
start=2048,size=4096,type=83
start=8192,size=20480,type=5
start=10240,size=2048,type=83
start=14336,size=2048,type=83
EOF
attach disk.img mnt --overlay=ov
write 2040 16    # from before 1 into it
write 6140 8     # out of 1
write 8200 1     # in the extended one, before 5
write 10239 2049 # through all of 5; the next sector says where 6 is
write 12289 1
write 14336 1
write 16383 1
write 30000 10
detach mnt
ranges 2040-2048:None 2048-2056:1 6140-6144:1 6144-6148:None 8200-8201:2 10239-10240:2 \
	10240-12288:5 12289-12290:2 14336-14337:6 16383-16384:6 30000-30010:None
part=(-p 1)
ranges 2048-2056:1 6140-6144:1
part=(-p 5)
ranges 10240-12288:5
part=(-p 2)
ranges 8200-8201:2 10239-10240:2 10240-12288:5 12289-12290:2 14336-14337:6 16383-16384:6
expect 1 "$PLATTER" diff -q -p 6 ov
same "text" "$(xargs <out)" "7340032 7340544 512 6 8388096 8388608 512 6"
expect 2 "$PLATTER" diff -p 3 ov
grep -q 'no partition 3' err || fail "the message"

# ---- GPT, written to by way of a partition's own node; 2 is added by the overlay itself
rm -f disk.img ov
part=()
truncate -s 16M disk.img
sfdisk -q disk.img <<'EOF' >/dev/null || fail "sfdisk"
label: gpt
start=2048,size=2048,name=one
start=20480,size=2048,name=three
EOF
attach disk.img mnt --overlay=ov
head -c 4096 /dev/urandom | poke mnt/parts/2 1044480
detach mnt
ranges 22520-22528:2
part=(-p 1)
expect 0 "$PLATTER" diff -p 1 ov
part=()
attach disk.img mnt --overlay=ov
cp mnt/disk copy
echo 'start=4096,size=2048' | sfdisk -q -N 3 --no-reread copy >/dev/null 2>&1 || fail "sfdisk -N"
head -c 1024 copy | tail -c 512 | poke mnt/disk 512
head -c 17408 copy | tail -c 16384 | poke mnt/disk 1024
write 4000 200
detach mnt
ranges 1-3:None 4000-4096:1 4096-4200:3 22520-22528:2

# ---- overlapping ones: 1 has 2048 to 6144, 2 4096 to 8192
rm -f disk.img ov
truncate -s 8M disk.img
python3 - <<'EOF'
import struct
with open("disk.img", "r+b") as f:
    f.seek(446)
    for start in (4096, 2048):
        f.write(struct.pack("<B3sB3sII", 0, b"", 0x83, b"", start, 4096))
    f.seek(510)
    f.write(b"\x55\xaa")
EOF
attach disk.img mnt --overlay=ov
write 2000 7000
detach mnt
ranges 2000-2048:None 2048-4096:2 4096-8192:1 8192-9000:None
exit 0
