# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tests of optical disc images share. Sourced after lib.sh and lib-formats.sh.

# py [ARG...]: a Python script on stdin, with tests/cdimage.py at hand.
py() {
	PYTHONPATH=$srcdir/tests PYTHONDONTWRITEBYTECODE=1 python3 - "$@" || fail "python3"
}

# small_iso FILE [LABEL]: make_iso, with less padding behind it.
small_iso() {
	make_iso "$@"
	truncate -s "$(($(isoinfo_blocks "$1") * 2048))" "$1"
}

# isoinfo_blocks FILE: the volume's size in sectors.
isoinfo_blocks() {
	od -An -tu4 -j$((16 * 2048 + 80)) -N4 "$1" | tr -d ' '
}

# same_tracks IMAGE FILE...: tracks/N are these, in the order of their numbers.
same_tracks() {
	local image=$1 n

	shift
	mkdir -p "$tmp/same_tracks"
	attach "$image" "$tmp/same_tracks"
	# shellcheck disable=SC2012
	same "$image: number of tracks" "$(ls "$tmp/same_tracks/tracks" | wc -l)" $#
	for n in $(ls "$tmp/same_tracks/tracks" | sort -n); do
		same_bytes "$tmp/same_tracks/tracks/$n" "$1"
		shift
	done
	detach "$tmp/same_tracks"
}
