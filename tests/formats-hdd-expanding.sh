#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Parallels bundles of expanding images, alone and as snapshots that stand on each other, on an
# expanding or a plain root, in one piece and split: what one does not hold is in the next. Snapshots
# that stand on each other in a circle are refused.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
requires_fuse
requires python3 qemu-img

qemu-img create -q -f parallels known.img 1M || skip "needs a qemu-img that makes Parallels images"
"$PLATTER" info known.img >out 2>/dev/null
grep -q ': parallels, ' out || skip "needs Parallels images"

cat >make.py <<'END'
import os, random, subprocess

TOP, NONE = "{5fbaabe3-6958-40ff-92a7-860e329aab41}", "{00000000-0000-0000-0000-000000000000}"
CLUSTER = 1 << 20
SIZE = 12 * CLUSTER + 512 * 7

def guid(i):
    return TOP if i == 0 else "{%08x-0000-0000-0000-000000000000}" % i

def write(name, pieces, depth, root, shots=None):
    """pieces: sectors at which a storage ends."""
    os.makedirs(name)
    xml = "".join(
        f"<Storage><Start>{a}</Start><End>{b}</End><Blocksize>2048</Blocksize>" + "".join(
            f"<Image><GUID>{guid(i)}</GUID><Type>"
            f"{'Plain' if i == depth - 1 and root == 'raw' else 'Compressed'}</Type>"
            f"<File>{a}.{i}</File></Image>" for i in range(depth)) + "</Storage>"
        for a, b in zip([0, *pieces], pieces))
    shots = shots or [(i, i + 1) for i in range(depth)]
    tree = "".join(f"<Shot><GUID>{guid(i)}</GUID><ParentGUID>"
                   f"{NONE if p == depth else guid(p)}</ParentGUID></Shot>" for i, p in shots)
    with open(name + "/DiskDescriptor.xml", "w") as f:
        f.write(f'<Parallels_disk_image Version="1.0"><Disk_Parameters><Disk_size>{pieces[-1]}'
                f"</Disk_size><Padding>0</Padding></Disk_Parameters><StorageData>{xml}"
                f"</StorageData><Snapshots>{tree}</Snapshots></Parallels_disk_image>")
    disk, rng = bytearray(), random.Random(name)
    for a, b in zip([0, *pieces], pieces):
        part = bytearray((b - a) * 512)
        for i in reversed(range(depth)):
            layer = bytearray(len(part))
            for at in range(0, len(part), CLUSTER):
                if i == depth - 1 and root == "raw" or rng.random() < .4:
                    # A cluster that is there counts as a whole, zeros in it too.
                    n = min(CLUSTER, len(part) - at)
                    data = bytearray(n)
                    data[0:16] = b"%2d %2d %9d " % (i, a % 100, at)
                    data[n // 2:n // 2 + 300] = rng.randbytes(300)
                    layer[at:at + n] = part[at:at + n] = data[:n]
            kind = "raw" if i == depth - 1 and root == "raw" else "parallels"
            with open("layer", "wb") as f:
                f.write(layer)
            subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", kind, "layer",
                            f"{name}/{a}.{i}"], check=True)
        disk += part
    with open(name + ".raw", "wb") as f:
        f.write(disk)

n = SIZE // 512
write("alone", [n], 1, "parallels")
write("four", [n], 4, "parallels")
write("plain-root", [n], 3, "raw")
write("split", [4096, 10000, n], 2, "parallels")
write("deep", [2048], 17, "raw")
write("circle", [2048], 2, "raw", [(0, 1), (1, 0)])
END
python3 make.py || fail "make.py"
for image in alone four plain-root split; do
	same_disk $image $image.raw
done
refuses deep "more than 16 snapshots stand on each other"
refuses circle "a plain one that stands on another"

# What is to be known of the images is known of the bundle.
poke split/4096.1 44 Ynot
poke split/0.0 44 Ynot
expect 0 "$PLATTER" info --json split
same "notes" "$(json out '[n.split(" not")[0] for n in j["image"]["notes"]]')" "['0.0: was', '4096.1: was']"
