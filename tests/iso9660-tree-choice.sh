#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Rock Ridge before Joliet before plain names; -o tree= picks another, and one that the disc does
# not have is refused with a message.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires genisoimage

mkdir "$tmp/src"
echo x >"$tmp/src/Mixed: Case"
make_iso()
{
	genisoimage -quiet "$@" "$tmp/src" 2>"$tmp/log" || fail "genisoimage: $(cat "$tmp/log")"
}
make_iso -R -J -o "$tmp/rj.iso"
make_iso -J -o "$tmp/j.iso"
make_iso -R -o "$tmp/r.iso"
make_iso -o "$tmp/p.iso"

shows()
{
	local image=$1 tree=$2 name=$3
	expect 0 "$PLATTER" ls ${tree:+-o tree=$tree} "$tmp/$image.iso"
	[ "$(cat "$tmp/out")" = "$name" ] || fail "$image, ${tree:-default}: $(cat "$tmp/out")"
}

refuses()
{
	expect 32 "$PLATTER" ls -o tree="$2" "$tmp/$1.iso"
	grep -qi "$3" "$tmp/err" || fail "$1, $2: message: $(cat "$tmp/err")"
}

shows rj '' 'Mixed: Case'
shows rj rr 'Mixed: Case'
shows rj joliet 'Mixed_ Case'
shows rj plain MIXED__C
shows j '' 'Mixed_ Case'
shows r '' 'Mixed: Case'
shows p '' MIXED__C
shows p plain MIXED__C
refuses j rr 'no Rock Ridge'
refuses p rr 'no Rock Ridge'
refuses r joliet 'no Joliet'
refuses p joliet 'no Joliet'
