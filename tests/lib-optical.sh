# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tests of optical disc images share. Sourced after lib.sh and lib-formats.sh.

# py: run the Python script on stdin, with tests/cdimage.py at hand.
py() {
	PYTHONPATH=$srcdir/tests PYTHONDONTWRITEBYTECODE=1 python3 - || fail "python3"
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
	same "$image: number of tracks" "$(find "$tmp/same_tracks/tracks" -type f | wc -l)" $#
	for n in $(find "$tmp/same_tracks/tracks" -type f -printf '%f\n' | sort -n); do
		same_bytes "$tmp/same_tracks/tracks/$n" "$1"
		shift
	done
	detach "$tmp/same_tracks"
}

# two_sessions: s1.iso and s2.iso, the second of which replaces the file `changing` (old, newer), has
# address $second on the disc, and takes over the rest of the first.
two_sessions() {
	mkdir first second
	export second
	head -c 100000 /dev/urandom >first/kept
	echo old >first/changing
	echo newer >second/changing
	genisoimage -quiet -R -o s1.iso first 2>log || fail "genisoimage: $(cat log)"
	second=$(($(stat -c %s s1.iso) / 2048 + 11400))
	genisoimage -quiet -R -C "0,$second" -M s1.iso -o s2.iso second 2>log ||
		fail "genisoimage: $(cat log)"
}

# last_session_shows IMAGE
last_session_shows() {
	expect 0 "$PLATTER" cat "$1" changing
	same "$1: the last session's file" "$(cat out)" newer
	expect 0 "$PLATTER" cat "$1" kept
	same_bytes out first/kept
}
