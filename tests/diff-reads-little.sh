#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# diff reads only what the overlay holds, and --files nothing that stands in the same place, where
# the overlay changed nothing: of a disc of 80 MiB little. All changes are found all the same.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_strace
requires xorriso

mkdir src
for name in first second third; do
	{ printf 'begin of %s' $name; head -c 26M /dev/urandom; } | head -c 26M >src/$name
done
xorriso -as mkisofs -quiet -R -o disc.iso src >log 2>&1 || fail "xorriso: $(cat log)"

# diff_reads STATUS OPTION...: see that it reads little.
diff_reads() {
	local want=$1 mib

	shift
	rm -f calls
	expect "$want" strace -qq -f -o calls -e trace=pread64,read "$PLATTER" diff "$@" ov
	mib=$(awk '{ n = $NF } n > 0 { sum += n } END { print int(sum / 1048576) }' calls)
	[ "$mib" -lt 12 ] || fail "$mib MiB were read"
}

where=$(LC_ALL=C grep -abo 'begin of second' disc.iso | head -n 1 | cut -d: -f1)
[ -n "$where" ] || fail "where is second?"
attach disc.iso mnt --overlay=ov
printf . | poke mnt/disk $((where + 26 * 1048576 - 1)) # its last byte
detach mnt
diff_reads 1 -q
same "a range" "$(wc -l <out)" 1
diff_reads 1 --files
same "the last byte" "$(cat out)" "M second (content)"

# Held but the same, and the byte after the end.
rm ov
attach disc.iso mnt --overlay=ov
peek disc.iso $((where + 5000000)) 100000 | poke mnt/disk $((where + 5000000))
detach mnt
diff_reads 0 --files
attach disc.iso mnt --overlay=ov
printf . | poke mnt/disk $((where + 7777777))
printf . | poke mnt/disk "$where"
detach mnt
diff_reads 1 --files
same "two bytes" "$(cat out)" "M second (content)"
exit 0
