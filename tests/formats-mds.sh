#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Alcohol 120%'s images: every mode gives the same disk, the tracks stand beside it, the last
# session shows; a DVD in several files. mdf2iso reads the plain ones too. What is broken is refused
# with the reason, and so is the encrypted version.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires_fuse
requires xorriso genisoimage python3 mdf2iso

small_iso disc.iso
two_sessions
py <<'PY'
import os, struct
import cdimage as cd
second = int(os.environ["second"])
iso = cd.read("disc.iso")
n = len(iso) // 2048
m1, m2 = cd.raw(iso), cd.raw(iso, "mixed")
j = b"".join
for name, kind, size, body in (
        ("a", "mode1", 2048, iso), ("b", "mode1", 2352, j(m1)), ("c", "mode2", 2352, j(m2)),
        ("d", "mode2", 2336, j(s[16:] for s in m2)), ("e", "form1", 2048, iso),
        ("f", "form2", 2328, j(s[24:] for s in cd.raw(iso, "mixed")[:0]) or j(s[24:2352] for s in m2)),
        ("g", "mode1", 2448, j(s + bytes(96) for s in m1))):
    cd.write(name + ".mdf", body)
    cd.mds(name + ".mds", [[(kind, size, 0, 0, n)]])
one, two = cd.noise(2352 * 30), cd.noise(2352 * 40, 2)
cd.write("1", one)
cd.write("2", two)
cd.write("M.bin", j(m1), one, two)
cd.mds("mixed.mds", [[("mode1", 2352, 0, 0, n), ("audio", 2352, n + 150, n * 2352, 30),
                      ("audio", 2352, n + 180, (n + 30) * 2352, 40)]], name="m.bin", wide=True)
s1, s2 = cd.read("s1.iso"), cd.read("s2.iso")
cd.write("sessions.mdf", s1, s2)
cd.mds("sessions.mds", [[("mode1", 2048, 0, 0, len(s1) // 2048)],
                        [("mode1", 2048, second, len(s1), len(s2) // 2048)]])
cd.write("sessions", s1, bytes(second * 2048 - len(s1)), s2)
cd.write("dvd.i00", b"before", iso[:2048 * 50])
cd.write("dvd.i01", iso[2048 * 50:2048 * 90])
cd.write("dvd.i02", iso[2048 * 90:], b"after" * 1000)
cd.mds("dvd.mds", [[("dvd", 2048, 0, 6, n)]], medium=0x10, files=["*.i00", "dvd.i01", "*.i02"])

image = cd.read("a.mds")
block = 88 + 24 + 3 * 80
def bad(name, off, data):
    cd.write(name + ".mds", image[:off], data, image[off + len(data):])
    cd.write(name + ".mdf", iso[:65536])
bad("version", 16, b"\2")
bad("sessions0", 0x14, b"\0\0")
bad("session", 0x50, b"\xff\xff\xff")
bad("mode", block, b"\xae")
bad("size", block + 0x10, b"\x01\x08")
bad("address", block + 0x24, b"\xff\xff\xff\xff")
bad("files", block + 0x30, b"\0")
bad("footer", block + 0x34, b"\xff\xff\xff")
bad("extra", block + 0x0c, b"\xff\xff\xff")
bad("begin", block + 0x28, b"\xff\xff\xff")
bad("short", 0, b"M")
bad("none", block + 4, b"\xa3")
bad("name", image.index(b"*.mdf"), b"/etc/passwd\0")
bad("long", image.index(b"*.mdf"), b"n" * 300)
bad("missing", image.index(b"*.mdf"), b"*.mdx")
PY
for image in [a-g].mds; do
	same_disk "$image" disc.iso
done
mdf2iso b.mdf got.iso >log 2>&1 || fail "mdf2iso: $(tail -n 1 log)"
same_disk b.mds got.iso
same_disk mixed.mds disc.iso
same_tracks mixed.mds disc.iso 1 2
same_disk sessions.mds sessions
same_tracks sessions.mds s1.iso s2.iso
last_session_shows sessions.mds
same_disk dvd.mds disc.iso

refuses version.mds 'version 2.3, expected 1'
refuses sessions0.mds '0 sessions, expected 1 to 99'
refuses session.mds 'a session at 16777215, but the file has'
refuses mode.mds 'track 1: mode 0xae is not known'
refuses size.mds 'track 1: sectors of 2049 bytes in mode 0xaa'
refuses address.mds 'track 1: address -1'
refuses files.mds 'track 1: 0 files, expected 1 to 128'
refuses footer.mds 'a footer at 16777215, but the file has'
refuses extra.mds "a track's length at 16777215, but the file has"
refuses begin.mds 'track 1 begins at 16777215 of "begin.mdf", which has 65536'
refuses short.mds 'of which "short.mdf" lacks'
refuses none.mds 'there is no track'
refuses name.mds 'file "/etc/passwd": another folder'
refuses long.mds 'a file name of more than 255 bytes'
refuses missing.mds 'file "missing.mdx": not in the image'"'"'s folder'
hostile mds dvd.mds
hostile mds mixed.mds
