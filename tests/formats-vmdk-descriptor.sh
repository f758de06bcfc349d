#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Descriptors as people have them: line ends of Windows, a byte order mark, blanks, words in any case,
# names with blanks in them and in windows-1252; and what is wrong in one is said.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires_fuse
requires python3

fill flat 1000448
sectors=1954
cp flat 'a disk, flat.vmdk'
printf '\xef\xbb\xbf# disk descriptorFILE\r\nVersion = 1\r\n\r\n  cid= 1 \r\nPARENTCID="ffffffff"\r\n' >dos.vmdk
printf '\t rw\t%s  Flat\t"a disk, flat.vmdk"  0 \r\nddb.uuid = "60 00=x"\r\nnonsense\r\n' $sectors >>dos.vmdk
same_disk dos.vmdk flat

# Names in windows-1252, in UTF-8 whatever is said, and of no encoding at all.
cp flat 'disque n°1 – été €.vmdk'
more=$'encoding="windows-1252"'
descriptor old.vmdk "RW $sectors FLAT \"$(printf 'disque n\xb01 \x96 \xe9t\xe9 \x80.vmdk')\""
same_disk old.vmdk flat
descriptor utf8.vmdk "RW $sectors FLAT \"disque n°1 – été €.vmdk\" 0"
same_disk utf8.vmdk flat
more=$'encoding="Shift_JIS"'
name=$(printf '\x83\x66\x83\x42.vmdk')
cp flat "$name"
descriptor sjis.vmdk "RW $sectors FLAT \"$name\""
same_disk sjis.vmdk flat

more='parentCID=ffffffff'
# wrong LINE TEXT
wrong() {
	descriptor bad.vmdk "$1"
	refuses bad.vmdk "$2"
}
wrong '' 'a descriptor that lists no extents'
wrong "RW 0 FLAT \"flat\"" 'extent 1 has 0 sectors after 0, expected 1 to'
wrong "RW x FLAT \"flat\"" 'extent 1: a size of "x" sectors, expected a number up to'
wrong "RW 18446744073709551615 ZERO" 'extent 1: a size of "18446744073709551615" sectors'
wrong $'RW 18014398509481855 ZERO\nRW 18014398509481855 ZERO' 'sectors after 18014398509481855, expected'
wrong "RW $sectors FLAT" 'extent 1 has no file name in quotes'
wrong "RW $sectors FLAT \"flat" 'extent 1 has no file name in quotes'
wrong "RW $sectors FLAT \"flat\" x" 'extent 1: an offset of "x" sectors'
wrong "RW $sectors FLAT \"flat\" 1" "extent \"flat\": 1000448 bytes at byte 512 pass its end at 1000448"
wrong "RW 2000 VMFS \"flat\"" 'extent "flat": 1024000 bytes at byte 0 pass its end at 1000448'
wrong "RW $sectors SPARSE \"flat\"" 'extent "flat": is no sparse extent: neither KDMV nor COWD'
wrong "RW $sectors SESPARSE \"flat\"" 'extent "flat": begins with '
wrong "RW $sectors SPARSE \"bad.vmdk\"" 'extent "bad.vmdk": is no sparse extent'
wrong "RW $sectors FLAT \"flat2\"" "extent \"flat2\": not in the image's folder"
wrong "RW $sectors FLAT \"/etc/passwd\"" 'extent "/etc/passwd": another folder'
wrong "RW $sectors FLAT \"../flat\"" 'extent "../flat": a path'
wrong "NOACCESS $sectors FLAT \"flat\"" 'extent 1 is marked as not to be accessed'
wrong "RW $sectors VMFSRDM \"flat\"" 'extents of type VMFSRDM are not supported'
wrong $'RW 7 FLAT "a\tb"' 'a file name that holds the control character 09'
wrong "RW 7 FLAT \"$(printf '%01100d' 0)\"" 'a file name of more than 1020 bytes'
wrong CID=123456789 'CID is "123456789", expected up to 8 hexadecimal digits'
wrong 'parentCID = none' 'parentCID is "none", expected up to 8 hexadecimal digits'
wrong 'encryption.keySafe = "x"' 'is encrypted by VMware, which is not supported'
wrong 'ddb.iofilters = "vmwarevmcrypt"' 'is encrypted by VMware, which is not supported'
printf '# Encryption DescriptorFile\n' >bad.vmdk
refuses bad.vmdk 'is encrypted by VMware, which is not supported'
descriptor bad.vmdk "RW $sectors FLAT \"flat\""
refuses bad.vmdk 'extent "flat": not opened, because of --chain=no' --chain=no
truncate -s 1048577 bad.vmdk
refuses bad.vmdk 'a descriptor of 1048577 bytes, at most 1048576'
mapfile -t lines < <(printf 'RW 1 ZERO\n%.0s' {1..8193})
descriptor bad.vmdk "${lines[@]}"
refuses bad.vmdk 'more than 8192 extents'
