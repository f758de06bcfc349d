# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tests of `platter convert` share. Sourced after lib.sh.

# What can be written, as "FORMAT COMPRESSION", and QEMU's name for a format.
forms='raw: qcow2: qcow2:zlib qcow2:zstd vdi: vmdk: vmdk:zlib vhd: vhdx:'

qemu_name() {
	if [ "$1" = vhd ]; then echo vpc; else echo "$1"; fi
}

# This build has no libzstd.
lacks_zstd() {
	"$PLATTER" convert --format=qcow2 --compress=zstd /nowhere /nowhere/none 2>&1 | grep -q 'libzstd-dev'
}

# convert_to FORM SRC DST [OPTION...]
convert_to() {
	local form=$1 src=$2 dst=$3

	shift 3
	[ -z "${form#*:}" ] || set -- --compress="${form#*:}" "$@"
	expect 0 "$PLATTER" convert --format="${form%%:*}" "$@" "$src" "$dst"
}

# sound FORM FILE RAW: QEMU finds no fault with FILE, and it is RAW, which is whole sectors long.
sound() {
	local name

	name=$(qemu_name "${1%%:*}")
	case $name in
	raw | vpc) ;;
	*)
		expect 0 qemu-img check -f "$name" "$2"
		grep -q '^No errors were found' out || fail "$1: check: $(cat out)"
		;;
	esac
	expect 0 qemu-img compare -f raw -F "$name" "$3" "$2"
}

# junk FILE BYTES: a file in which every sector has something, that nothing of interest looks like.
junk() {
	head -c "$2" /dev/zero | tr '\0' J >"$1"
}

# only_free SRC DST OFFSET <RANGES: DST is SRC, but for the ranges (lines of first and last byte of
# the filesystem at OFFSET), which are zeros; and what stands in the first and last 64 KiB of all,
# which stays. Not at the end of a pipeline: what fails there fails alone.
only_free() {
	python3 -c 'import sys
src, dst = (open(p, "rb").read() for p in sys.argv[1:3])
start = int(sys.argv[3])
if len(src) != len(dst):
    sys.exit(f"{len(dst)} bytes, expected {len(src)}")
want, freed = bytearray(src), 0
for line in sys.stdin:
    a, b = (start + int(x) for x in line.split())
    a, b = max(a, 65536), min(b + 1, len(src) - 65536)
    if a < b:
        want[a:b] = bytes(b - a)
        freed += b - a
if freed == 0:
    sys.exit("nothing is free there")
for off in range(0, len(src), 512):
    if want[off:off + 512] != dst[off:off + 512]:
        sys.exit(f"differ at {off}: {dst[off:off + 8]} instead of {want[off:off + 8]}")
' "$1" "$2" "$3" 2>only_free.err || fail "$2: $(cat only_free.err)"
}
