#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A place of an image that cannot be read is an error with its reason, wherever it is: tables have
# copies, logs and snapshots, and what could not be read of them is neither damaged nor not there.
# Each read of the file fails once, one run after the other: none of them shows other bytes than
# those of the disk, or calls the image damaged.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vdi.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires qemu-img python3
requires_strace
on_one_core

fill raw 65536 3
for format in qcow2 qcow qed parallels; do
	qemu-img convert -f raw -O $format raw disk.$format || fail "$format"
done
qemu-img convert -f raw -O vpc -o force_size=on raw disk.vhd || fail "vpc"
make_vdi disk.vdi raw block=16384
qemu-img create -q -f raw nothing 65536
make_vdi base.vdi nothing block=16384
make_vdi child.vdi raw block=16384 parent=base.vdi,nothing
make_vmdk hosted hosted.vmdk raw redundant=1
make_vmdk stream stream.vmdk raw
make_vmdk cowd cowd.vmdk raw grain=8
make_vmdk sesparse se-data.vmdk raw zeros=1
descriptor se.vmdk 'RW 128 SESPARSE "se-data.vmdk"'
descriptor split.vmdk 'RW 128 SPARSE "hosted.vmdk"'
# The second header counts, and the log that it names.
PYTHONPATH=$srcdir/tests PYTHONDONTWRITEBYTECODE=1 python3 - <<'P' || fail "vhdx"
import random, struct, vhdxwriter as x
data = [random.Random(5).randbytes(x.MIB) for _ in range(2)]
out = bytearray(x.image(2 * x.MIB, {0: data[0]}, head=x.header(7),
                        second=x.header(8, log_id=x.LOG_ID)) + data[1])
page = bytearray(x.PAGE)
struct.pack_into("<2Q", page, 0, 4 * x.MIB | 6, 5 * x.MIB | 6)
x.put_log(out, [x.entry(20, 0, [(x.BAT, bytes(page))])], 0)
open("logged.vhdx", "wb").write(out)
open("logged.raw", "wb").write(b"".join(data))
P

# The sectors' length is told, so that the disk itself is not read over and over to find it.
read_disk() {
	"$@" "$PLATTER" cat -p 0 -o sector=512 "$image" >out 2>err
}

# own_reads: which reads in the trace are of files that the test made.
own_reads() {
	grep -n "<$tmp/" calls | cut -d: -f1
}

# sweep IMAGE RAW: fail each read of its files, one run after the other.
sweep() {
	local image=$1 want n tried=0
	want=$(sha256 "$2")
	read_disk strace -f -qq -y -o calls -e trace=pread64 || fail "$1: cat"
	same "$1: the disk" "$(sha256 out)" "$want"
	for n in $(own_reads); do
		read_disk strace -f -qq -o log -e trace=pread64 -e inject=pread64:error=EIO:when="$n"
		case $? in
		0) same "$1, read $n: the disk" "$(sha256 out)" "$want" ;;
		32) grep -qE 'Input/output error|cannot be read' err || fail "$1, read $n: another reason" ;;
		*) fail "$1, read $n: killed" ;;
		esac
		tried=$((tried + 1))
	done
	[ "$tried" -gt 2 ] || fail "$1: $tried reads"
}

for format in qcow2 qcow qed parallels vhd vdi; do
	sweep disk.$format raw
done
sweep child.vdi raw
for image in hosted stream cowd se split; do
	sweep $image.vmdk raw
done
sweep logged.vhdx logged.raw

# Nor is a directory damaged that cannot be read, and another one used in its place.
strace -f -qq -y -o calls -e trace=pread64 "$PLATTER" info -o sector=512 hosted.vmdk >out 2>err ||
	fail "info hosted.vmdk"
for n in $(own_reads); do
	strace -f -qq -o log -e trace=pread64 -e inject=pread64:error=EIO:when="$n" \
		"$PLATTER" info -o sector=512 hosted.vmdk >out 2>err
	! grep -h 'damaged' out err || fail "hosted.vmdk, read $n"
done
