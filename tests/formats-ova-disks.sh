#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The disk of an OVA, in every dialect of tar, is the one that was archived. Of several one has to be
# chosen: without -o disk=N they are listed, and the exit status is that of a usage error. An overlay
# keeps to the disk that it was made over.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires qemu-img tar python3

fill one $(((2 << 20) + 512)) 1
fill two $(((2 << 20) + 512)) 2
echo '<Envelope/>' >vm.ovf
qemu-img convert -O vmdk -o subformat=streamOptimized one vm-disk1.vmdk || fail "qemu-img"
qemu-img convert -O vdi two vm-disk2.VDI || fail "qemu-img"
long=$(printf '%0120d' 0)
mkdir -p "$long"
cp vm-disk1.vmdk "$long/vm (1).vmdk"
tar -cf member.tar vm.ovf

# holds IMAGE RAW [OPTION...]
holds() {
	local image=$1 raw=$2

	shift 2
	expect 0 "$PLATTER" cat -p 0 "$@" "$image"
	same_bytes out "$raw"
}

for dialect in ustar gnu pax oldgnu; do
	tar --format=$dialect -cf one.ova vm.ovf vm-disk1.vmdk || fail "tar"
	holds one.ova one
	tar --format=$dialect -cf one.ova ./vm.ovf "./$long/vm (1).vmdk" || fail "tar"
	holds one.ova one
done
same_disk one.ova one
expect 0 "$PLATTER" info one.ova
grep -q 'vmdk in ova' out || fail "says $(cat out)"

# Sizes in base 256 and in pax records, and an end without blocks of zeros.
python3 - <<'PY'
import os, struct
data = open("vm-disk1.vmdk", "rb").read()
def header(name, size, kind=b"0"):
    h = bytearray(512)
    h[:len(name)] = name
    h[100:136] = b"0000644\0000000000\0000000000\0" + bytes(12)
    h[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
    h[156:157] = kind
    h[257:265] = b"ustar\00000"
    h[148:156] = b"%06o\0 " % (sum(h) + 8 * 32)
    return bytes(h)
pad = lambda b: b + bytes(-len(b) % 512)
ovf = header(b"vm.ovf", 5) + pad(b"<ovf>")
base = header(b"d.vmdk", b"\x80" + len(data).to_bytes(11, "big")) + data
open("base256.ova", "wb").write(ovf + base)
record = b"size=%d\n" % len(data)
record = b"%d %s" % (len(record) + 3, record)
open("pax.ova", "wb").write(ovf + header(b"g", 6, b"g") + pad(b"6 a=b\n") +
                            header(b"x", len(record), b"x") + pad(record) +
                            header(b"d.vmdk", 0) + pad(data) + bytes(1024))
link = header(b"vm.vmdk", 4096, b"2")
open("link.ova", "wb").write(ovf + link + header(b"d.vmdk", len(data)) + data)
PY
for image in base256 pax link; do
	holds $image.ova one
done

tar -cf two.ova vm.ovf vm-disk1.vmdk vm-disk2.VDI
expect 1 "$PLATTER" info two.ova
same "message" "$(cat err)" \
	"platter: two.ova: holds 2 disks, choose one with -o disk=N: 1 (vm-disk1.vmdk), 2 (vm-disk2.VDI)"
for command in attach mount ls cat; do
	expect 1 "$PLATTER" $command two.ova
done
holds two.ova one -o disk=1
same_disk two.ova two -o disk=2
refuses two.ova 'has no disk 3, only 1 to 2' -o disk=3
refuses vm-disk1.vmdk 'disk=1: images in vmdk format hold one disk' -o disk=1
expect 1 "$PLATTER" info -o disk=0 two.ova

attach two.ova mnt --overlay=changes -o disk=2
printf changed | poke mnt/disk 1000
detach mnt
cp two want
printf changed | poke want 1000
holds two.ova want --overlay=changes
refuses two.ova 'disk=1: the overlay was made over disk 2 of it' --overlay=changes -o disk=1
