#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A sparse disk of 8 TiB with a little in it is converted in a moment and takes little room, in every
# format that knows such disks (2040 GiB are vhd's limit), and QEMU finds what there is where it was.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-convert.sh" || exit 99
requires qemu-img qemu-io

G=1073741824
! lacks_zstd || forms=${forms/qcow2:zstd/}

# large BYTES FORM...: data at the ends, and on both sides of what tables may be divided by.
large() {
	local size=$1 at i form io name

	rm -f disk
	truncate -s "$size" disk 2>/dev/null || skip "needs a filesystem with files of 8 TiB"
	i=0
	io=()
	for at in 0 $((4 * G - 4096)) $((4 * G)) $((16 * G - 4096)) $((16 * G)) $((128 * G - 4096)) \
		$((1024 * G)) $((2039 * G)) $((size - 4096)); do
		[ $((at + 4096)) -le "$size" ] || continue
		i=$((i + 1))
		head -c 4096 /dev/zero | tr '\0' "\\$(printf %o $i)" | poke disk $at
		io+=(-c "read -P $i $at 4096")
	done
	shift
	for form; do
		rm -f copy
		convert_to "$form" disk copy
		name=$(qemu_name "${form%%:*}")
		expect 0 qemu-io -r -f "$name" "${io[@]}" copy
		! grep -q 'Pattern verification failed' out || fail "$form: $(cat out)"
		same "reads of $form" "$(grep -c '^read 4096/4096' out)" $i
		# Tables of which every byte says "nothing here" are not sparse: 32 MiB for vdi.
		[ "$(du -k copy | cut -f1)" -lt 45000 ] || fail "$form: $(du -k copy) KiB"
		expect 0 qemu-img info -f "$name" --output=json copy
		same "size of $form" "$(json out 'j["virtual-size"]')" "$size"
		case $form in
		qcow2*)
			expect 0 qemu-img check -f "$name" copy
			grep -q '^No errors were found' out || fail "$form: check: $(cat out)"
			;;
		esac
	done
}
# shellcheck disable=SC2086
large $((2040 * G)) $forms
# shellcheck disable=SC2086
large $((8192 * G)) ${forms/vhd: /}

# One byte more than a format has room for.
truncate -s $((2040 * G + 1)) disk
expect 32 "$PLATTER" convert disk copy.vhd
grep -q '^platter: copy.vhd: a disk of 2190433320961 bytes, in vhd at most 2190433320960' err || fail "the limit"
[ ! -e copy.vhd ] || fail "a file was left"
