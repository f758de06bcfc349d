#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Parallels bundles of plain images: in one piece and split, with and without a list of snapshots,
# read as the disk; descriptors that are damaged, encrypted, inconsistent or that name files elsewhere
# are refused with the reason; what does not exist is named.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires python3

cat >make.py <<'END'
import os, sys

TOP, NONE = "{5fbaabe3-6958-40ff-92a7-860e329aab41}", "{00000000-0000-0000-0000-000000000000}"

def image(guid, file, kind="Plain"):
    return f"<Image><GUID>{guid}</GUID><Type>{kind}</Type>\n<File>{file}</File></Image>"

def storage(start, end, *images):
    return (f"<Storage><Start>{start}</Start><End>{end}</End><Blocksize>2048</Blocksize>"
            + "".join(images) + "</Storage>")

def shot(guid, parent):
    return f"<Shot><GUID>{guid}</GUID><ParentGUID>{parent}</ParentGUID></Shot>"

def write(name, sectors, storages, shots=None, top="", version="1.0", more=""):
    os.makedirs(name)
    snapshots = "" if shots is None else f"<Snapshots>{top}{''.join(shots)}</Snapshots>"
    with open(name + "/DiskDescriptor.xml", "w") as f:
        f.write(f"""<?xml version='1.0' encoding='UTF-8'?>
<Parallels_disk_image Version="{version}">
    <Disk_Parameters><Disk_size>{sectors}</Disk_size><Cylinders>1</Cylinders>{more}
        <Encryption><Engine>{NONE}</Engine><Data></Data></Encryption><Padding>0</Padding>
    </Disk_Parameters>
    <StorageData>{''.join(storages)}</StorageData>
    {snapshots}
</Parallels_disk_image>
""")

def put(name, data):
    with open(name, "wb") as f:
        f.write(data)
END
cat >plain.py <<'END'
from make import *

disk = open("disk", "rb").read()
n = len(disk) // 512
write("one.hdd", n, [storage(0, n, image(TOP, "one.hds"))], [shot(TOP, NONE)])
put("one.hdd/one.hds", disk)
write("bare.hdd", n, [storage(0, n, image("{12345678-9abc-def1-2345-6789abcdef12}", "a &amp; b"))])
put("bare.hdd/a & b", disk)
other = "{0a0a0a0a-0000-0000-0000-00000000000A}"
write("top.hdd", n, [storage(0, n, image(TOP, "none"), image(other, "./b"))],
      [shot(TOP, other), shot(other.upper(), NONE)], f"<TopGUID>{other.lower()}</TopGUID>")
put("top.hdd/b", disk)
cuts = [0, 1, 100, 2000, n]
write("split.hdd", n, [storage(a, b, image(TOP, f"{a}")) for a, b in zip(cuts, cuts[1:])],
      [shot(TOP, NONE)])
for a, b in zip(cuts, cuts[1:]):
    put(f"split.hdd/{a}", disk[a * 512:b * 512])

def bad(name, *args, **named):
    write(name, *args, **named)
    put(name + "/f", disk)
one = storage(0, n, image(TOP, "f"))
bad("version", n, [one], version="2.0")
bad("encrypted", n, [one], more="<Encryption><Engine>{1}</Engine></Encryption>")
bad("padding", n, [one], more="<Padding>1</Padding>")
bad("no-size", 0, [one])
bad("size", "x", [one])
bad("storages", n, [])
bad("gap", n, [storage(0, 5, image(TOP, "f")), storage(6, n, image(TOP, "f"))])
bad("end", n, [storage(0, n - 1, image(TOP, "f"))])
bad("past", n, [storage(0, n + 1, image(TOP, "f"))])
bad("empty", n, [storage(0, 0, image(TOP, "f"))])
bad("type", n, [storage(0, n, image(TOP, "f", "Odd"))])
bad("missing", n, [storage(0, n, image(TOP, "g"))])
bad("elsewhere", n, [storage(0, n, image(TOP, "../disk"))])
bad("absolute", n, [storage(0, n, image(TOP, "/etc/passwd"))])
bad("link", n, [storage(0, n, image(TOP, "l"))])
os.symlink("../disk", "link/l")
bad("short", n + 1, [storage(0, n + 1, image(TOP, "f"))])
bad("no-image", n, [storage(0, n)])
bad("two", n, [storage(0, n, image(NONE, "f"), image(other, "f"))])
bad("no-top", n, [one], [shot(TOP, other)], f"<TopGUID>{other}</TopGUID>")
bad("on-another", n, [storage(0, n, image(TOP, "f"), image(other, "f"))],
    [shot(TOP, other), shot(other, NONE)])
bad("many", n, [storage(0, n, *[image(TOP, "f")] * 1025)])
bad("root", n, [one])
put("root/DiskDescriptor.xml", b"<disk/>")
bad("cut", n, [one])
put("cut/DiskDescriptor.xml", open("one.hdd/DiskDescriptor.xml", "rb").read()[:300])
bad("nothing", n, [one])
put("nothing/DiskDescriptor.xml", b"")
END
fill disk 3000320 9
python3 plain.py || fail "plain.py"
for image in one bare top split; do
	same_disk $image.hdd disk
done
same_disk split.hdd disk --chain=no

refuses version 'version "2.0", expected "1.0"'
refuses encrypted "encrypted (by engine {1}): not supported"
refuses padding "padding 1, expected 0"
refuses no-size "a disk of 0 sectors"
refuses size '"x", expected a number'
refuses storages "0 storages of 0 sectors for a disk of 5860"
refuses gap "storage 1 from sector 6 to 5860, expected it to begin at 5"
refuses end "1 storages of 5859 sectors for a disk of 5860"
refuses past "storage 0 from sector 0 to 5861"
refuses empty "storage 0 from sector 0 to 0"
refuses type 'image of type "Odd"'
refuses missing 'image "g": not in the image'
refuses elsewhere 'image "../disk": a path'
refuses absolute 'image "/etc/passwd": another folder'
refuses link 'image "l": a symbolic link'
refuses short 'image "f": 3000320 bytes, expected at least 3000832'
refuses no-image "storage 0 has no image of snapshot {5fbaabe3-"
refuses two "storage 0 has no image of snapshot {5fbaabe3-"
refuses no-top "storage 0 has no image of snapshot {0a0a0a0a-"
refuses on-another 'image "f": a plain one that stands on another'
refuses many "more than 1024 images"
refuses root "does not describe a Parallels disk"
refuses cut "DiskDescriptor.xml: XML: "
refuses nothing "DiskDescriptor.xml: XML: no element"
