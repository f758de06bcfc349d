#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What mount shows: a filesystem on the whole disk, else the one partition that has one, else DIR/N
# for each that can be browsed; -p N picks, layout= decides otherwise. What cannot be browsed is
# exit 32, and several where one was asked for exit 1, with what there is.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk mkfs.ext4 xorriso

make_iso one.iso ONE
echo two >iso-source/two
xorriso -as mkisofs -quiet -R -V TWO -o two.iso iso-source >log 2>&1 || fail "xorriso: $(cat log)"
rm iso-source/two

# disk FILE PARTITION...: each of them iso FILE, ext4, or none, 8 MiB from 1 MiB on; three and more
# are logical.
disk() {
	local file=$1 at=2048 n=0 what
	shift
	truncate -s 64M "$file"
	for what; do
		[ $n != 2 ] || echo "start=$at, type=5"
		[ $n -lt 2 ] || at=$((at + 2048))
		echo "start=$at, size=16384, type=83"
		at=$((at + 16384)) n=$((n + 1))
	done | sfdisk -q "$file" >/dev/null || fail sfdisk
	at=2048 n=0
	for what; do
		[ $n -lt 2 ] || at=$((at + 2048))
		case $what in
		*.iso) poke "$file" $((at * 512)) <"$what" ;;
		ext4) mkfs.ext4 -q -F -O ^has_journal -E offset=$((at * 512)) "$file" 8M >log 2>&1 ||
			fail "mkfs.ext4: $(cat log)" ;;
		esac
		at=$((at + 16384)) n=$((n + 1))
	done
}
# shows IMAGE OPTIONS NAMES: the top of the tree, and the same to ls.
shows() {
	# shellcheck disable=SC2086
	mount_image "$1" mnt $2
	same "mount $2 $1" "$(find mnt -mindepth 1 -maxdepth 1 -printf '%P\n' | LC_ALL=C sort | tr '\n' ' ')" \
		"$3 "
	detach mnt
	# shellcheck disable=SC2086
	expect 0 "$PLATTER" ls "$1" $2
	same "ls $2 $1" "$(tr '\n' ' ' <out)" "$3 "
}
refused() { # STATUS IMAGE OPTIONS TEXT
	for command in "mount $2 mnt" "ls $2" "cat $2 hello.txt"; do
		# shellcheck disable=SC2086
		expect "$1" "$PLATTER" $command $3
		grep -q "$4" err || fail "$command $3: the message does not say '$4'"
	done
	[ ! -e mnt ] || fail "a mount point was left"
}
one='dir hello.txt link run' two='dir hello.txt link run two'

# A filesystem on the whole disk, also with a table that points into it.
shows one.iso '' "$one"
shows one.iso '-o layout=single' "$one"
shows one.iso '-p 0' "$one"
shows one.iso '-o layout=multi' 0
expect 0 "$PLATTER" cat -o layout=multi one.iso 0/hello.txt
same "0/hello.txt" "$(cat out)" "hello, world"
cp two.iso hybrid.iso
printf 'start=4, size=16, type=83\n' | sfdisk -q hybrid.iso >/dev/null 2>&1 || fail sfdisk
same "table" "$("$PLATTER" info --json hybrid.iso | grep -o '"scheme":"[a-z]*"')" '"scheme":"mbr"'
shows hybrid.iso '' "$two"

# One partition with one, whichever.
disk single.img none one.iso none
for options in '' '-p 2' '-o part=2' '-o layout=single' '-o layout=auto'; do
	shows single.img "$options" "$one"
done
shows single.img '-o layout=multi' 2
refused 32 single.img '-p 1' 'no known filesystem on partition 1'
refused 32 single.img '-p 0' 'no known filesystem on the whole disk'
refused 32 single.img '-p 7' 'no partition 7, there are 1, 2, 3'

# Several, logical ones among them.
disk several.img two.iso none one.iso two.iso
for options in '' '-o layout=auto' '-o layout=multi'; do
	shows several.img "$options" '1 5 6'
done
shows several.img '-p 5' "$one"
shows several.img '-p 6 -o layout=single' "$two"
refused 1 several.img '-o layout=single' 'partitions 1, 5, 6'
mount_image several.img mnt
same "5/hello.txt" "$(cat mnt/5/hello.txt)" "hello, world"
expect 0 diff -r --no-dereference mnt/5 iso-source
same "different files are not hard links" \
	"$(stat -c %i mnt/1/hello.txt mnt/6/hello.txt mnt/5/hello.txt mnt/1 mnt/5 mnt/6 mnt | sort -u | wc -l)" 7
detach mnt
expect 0 "$PLATTER" cat several.img 6/two
same "6/two" "$(cat out)" two
expect 0 "$PLATTER" cat several.img -p 6 /two
same "-p 6 /two" "$(cat out)" two
expect 0 "$PLATTER" ls several.img 5/dir
expect 0 "$PLATTER" cp -r several.img 5/dir copied
expect 0 diff -r copied iso-source/dir
refused 32 several.img '-p 9' 'no partition 9'

# One that cannot be browsed counts: it is not DIR/N, but what can be is not DIR either.
disk mixed.img ext4 one.iso
shows mixed.img '' 2
shows mixed.img '-p 2' "$one"
refused 32 mixed.img '-p 1' 'ext4.*partition 1.*cannot be browsed; platter attach shows its bytes'
refused 1 mixed.img '-o layout=single' 'partitions 1, 2'
disk ext4.img none ext4
for options in '' '-p 2' '-o layout=single' '-o layout=multi'; do
	refused 32 ext4.img "$options" 'ext4.*partition 2.*cannot be browsed; platter attach shows its bytes'
done

# None.
disk none.img none none
truncate -s 8M blank.img
for image in none.img blank.img; do
	for options in '' '-o layout=multi' '-o layout=single'; do
		refused 32 $image "$options" 'no known filesystem.*platter attach shows its bytes'
	done
done
# A part of the disk that is one.
shows several.img '-o start=1M,length=8M' "$two"
