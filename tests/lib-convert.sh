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
