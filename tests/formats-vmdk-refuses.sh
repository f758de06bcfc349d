#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sparse VMDKs that are broken, cut off, or of a kind that is not supported are refused with what is
# wrong.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires python3

fill raw 2000384
make_vmdk hosted hosted.vmdk raw
make_vmdk stream stream.vmdk raw
make_vmdk cowd cowd.vmdk raw
make_vmdk sesparse se.bin raw
sectors=3907
descriptor se.vmdk "RW $sectors SESPARSE \"se.bin\""
for image in hosted stream cowd se; do
	expect 0 "$PLATTER" info $image.vmdk
done

# broken FILE OFFSET HEX TEXT
broken() {
	cp "$1" bad.vmdk
	hex bad.vmdk $(($2)) "$3"
	refuses bad.vmdk "$4"
}
broken hosted.vmdk 4 00000000 'sparse extent version 0, expected 1 to 3'
broken hosted.vmdk 4 04000000 'sparse extent version 4, expected 1 to 3'
broken hosted.vmdk 8 09000000 'unknown flags 00000008 in the sparse header'
broken hosted.vmdk 73 0d0a2020 'line ends in it were changed: it was transferred as text'
broken hosted.vmdk 12 ffffffffffffffff 'a sparse extent of 18446744073709551615 sectors, at most'
broken hosted.vmdk 12 0000000000000100 'grain tables, at most 4194304 are held'
broken hosted.vmdk 12 0000000100000000 'grain directory'
broken hosted.vmdk 20 7f00000000000000 'grains of 127 sectors, expected a power of two up to 2097152'
broken hosted.vmdk 20 0000000000000000 'grains of 0 sectors, expected a power of two'
broken stream.vmdk 20 0020000000000000 'grains of 8192 sectors, expected a power of two up to 4096'
broken hosted.vmdk 44 00000000 'grain tables of 0 entries, expected 1 to 512'
broken hosted.vmdk 44 01020000 'grain tables of 513 entries, expected 1 to 512'
broken hosted.vmdk 56 ffffff0000000000 'grain directory'
broken hosted.vmdk 56 00000000000000ff 'the grain directory stands at sector 18374686479671623680'
broken hosted.vmdk 28 ffffff0000000000 'its descriptor at byte 8589934080 passes the end of the file'
broken hosted.vmdk 36 ffff000000000000 'a descriptor of 33553920 bytes, at most 1048576'
broken hosted.vmdk 512 20 'its descriptor does not begin with "# Disk DescriptorFile"'
broken stream.vmdk 77 0200 'grains compressed by algorithm 2, expected 1 (zlib)'
broken stream.vmdk 8 01000100 'compressed grains without markers are not supported'
broken cowd.vmdk 4 02000000 'COWD version 2, expected 1'
broken cowd.vmdk 16 00000000 'grains of 0 sectors, expected a power of two up to'
broken cowd.vmdk 24 00000000 'needs 1 grain tables, its directory has 0'
broken cowd.vmdk 20 ffffffff 'grain directory'
broken cowd.vmdk 2048 ffffff7f 'grain table 0 at byte 1099511627264 passes the end of the file at'
refuses se.bin 'a seSparse extent, which is nothing without its descriptor: open that'

cp se.bin good.bin
# broken_se OFFSET HEX TEXT
broken_se() {
	cp good.bin se.bin
	hex se.bin $(($1)) "$2"
	refuses se.vmdk "extent \"se.bin\": $3"
}
broken_se 0 00 'begins with 00000000cafeba00, a seSparse extent with 00000000cafebabe'
broken_se 8 02 'seSparse version 200000002, expected 200000001'
broken_se 40 01 'unknown flags 1 in the seSparse header'
broken_se 24 10 'seSparse grains of 16 sectors, expected 8'
broken_se 32 20 'seSparse grain tables of 32 sectors, expected 64'
broken_se 16 00000000000000ff 'a seSparse extent of 18374686479671623680 sectors, at most'
broken_se 80 00 'no volatile seSparse header at sector 0'
broken_se 536 01 'a seSparse extent whose journal was not replayed'
broken_se 136 00 'an extent of 2000384 bytes needs 1 grain tables, its directory of 0 sectors stands at sector 16'
broken_se 8192 0100000000000010 'entry 0 of the grain directory is 1000000000000001, which is no table'
broken_se 8192 0000000000000020 'entry 0 of the grain directory is 2000000000000000, which is no table'
broken_se $((17 * 512)) 0000000000000040 'grain 0 is entered as what no grain can be'
broken_se $((17 * 512)) 00000f0000000030 'grain 0 at byte '
broken_se 16 000e 'has 1835008 bytes, the descriptor says 2000384'

# The largest compressed grain may hold what cannot be packed.
head -c 4M /dev/urandom >noise
make_vmdk stream noise.vmdk noise grain=4096
holds noise.vmdk noise

# Cut off: at the end, in the middle, in the header.
for image in hosted.vmdk stream.vmdk cowd.vmdk; do
	cp $image bad.vmdk
	truncate -s -512 bad.vmdk
	case $image in
	stream*) refuses bad.vmdk 'a stream without its footer in the last 1024 bytes: the file, of' ;;
	*) refuses bad.vmdk " at $(stat -c %s bad.vmdk)" ;;
	esac
	truncate -s 100000 bad.vmdk
	refuses bad.vmdk '100000'
	truncate -s 500 bad.vmdk
	refuses bad.vmdk 'cut off: 500 bytes, a '
done
cp good.bin se.bin
truncate -s -512 se.bin
refuses se.vmdk 'extent "se.bin": grain '
truncate -s 100 se.bin
refuses se.vmdk 'extent "se.bin": cut off: 100 bytes, a seSparse header has 512'

# A grain that does not unpack, or that is another's, is an error where it is read.
at=$(LC_ALL=C grep -abom1 $'\x78\x9c' stream.vmdk | head -1 | cut -d: -f1)
for hurt in 0 -12; do
	cp stream.vmdk bad.vmdk
	hex bad.vmdk $((at + hurt)) ffff
	expect 0 "$PLATTER" info bad.vmdk
	expect 32 "$PLATTER" cat -p 0 bad.vmdk
	grep -q 'Input/output error at byte' err || fail "says $(cat err)"
done
