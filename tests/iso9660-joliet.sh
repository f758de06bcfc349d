#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A disc without Rock Ridge shows its Joliet names: UTF-16 ones too, without ";1". An enhanced
# volume descriptor (ISO 9660:1999) beside it changes nothing.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires xorriso

mkdir -p "$tmp/src/Ordner mit Lücken"
echo one >"$tmp/src/Mixed Case and spaces.text"
echo two >"$tmp/src/Ordner mit Lücken/Ελληνικά.txt"
echo three >"$tmp/src/日本語"
echo four >"$tmp/src/no-extension"
(cd "$tmp/src" && find . | sort) >"$tmp/names"

check()
{
	expect 0 "$PLATTER" cp -r "$1" top "$tmp/copy"
	diff -r "$tmp/src" "$tmp/copy" || fail "$1: the files differ"
	(cd "$tmp/copy" && find . | sort) | diff "$tmp/names" - || fail "$1: the names differ"
	chmod -R u+w "$tmp/copy"
	rm -rf "$tmp/copy"
}

xorriso -as mkisofs -quiet -joliet -input-charset utf-8 --norock -o "$tmp/xorriso.iso" \
	-graft-points top="$tmp/src" 2>"$tmp/log" || fail "xorriso: $(cat "$tmp/log")"
check "$tmp/xorriso.iso"

# With a character that takes two units of UTF-16.
echo five >"$tmp/src/𝄞 clef"
(cd "$tmp/src" && find . | sort) >"$tmp/names"
xorriso -local_charset UTF-8 -outdev "$tmp/1999.iso" -joliet on -rockridge off \
	-compliance iso_9660_1999:joliet_utf16 -map "$tmp/src" /top -commit \
	>"$tmp/log" 2>&1 || fail "xorriso: $(cat "$tmp/log")"
LC_ALL=C grep -aq $'\x02CD001\x02' "$tmp/1999.iso" || fail "no enhanced volume descriptor"
check "$tmp/1999.iso"
