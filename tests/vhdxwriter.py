# SPDX-License-Identifier: GPL-2.0-or-later
#
# Writes VHDXs as no tool on Debian does: differencing ones, those with a log to replay, and those
# with a fault. From [MS-VHDX].
import struct, uuid

MIB = 1 << 20
LOG, META, BAT = MIB, 2 * MIB, 3 * MIB
PAGE = 4096

def guid(text):
    return uuid.UUID(text).bytes_le

LOG_ID = guid("11112222-3333-4444-5555-666677778888")

def table():
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        yield n
TABLE = list(table())

def crc32c(data):
    crc = 0xffffffff
    for b in data:
        crc = crc >> 8 ^ TABLE[(crc ^ b) & 255]
    return crc ^ 0xffffffff

def seal(part):
    part = bytearray(part)
    part[4:8] = bytes(4)
    part[4:8] = struct.pack("<I", crc32c(part))
    return bytes(part)

def header(sequence, data_id=b"d" * 16, log_id=bytes(16), version=1, log_version=0,
           log_length=MIB, log_offset=LOG):
    return seal(struct.pack("<4sIQ16s16s16sHHIQ", b"head", 0, sequence, b"f" * 16, data_id, log_id,
                            log_version, version, log_length, log_offset).ljust(4096, b"\0"))

REGIONS = [("2dc27766-f623-4200-9d64-115e9bfd4a08", BAT, MIB, 1),
           ("8b7ca206-4790-4b9a-b8fe-575f050f886e", META, MIB, 1)]

def regions(entries=REGIONS):
    t = struct.pack("<4sIII", b"regi", 0, len(entries), 0)
    for g, off, length, required in entries:
        t += guid(g) + struct.pack("<QII", off, length, required)
    return seal(t.ljust(65536, b"\0"))

def metadata(items):
    t = struct.pack("<8sHH20x", b"metadata", 0, len(items))
    values = b""
    for g, value, flags in items:
        t += guid(g) + struct.pack("<IIII", 65536 + len(values), len(value), flags, 0)
        values += value
    return t.ljust(65536, b"\0") + values

def locator(pairs, kind="b04aefb7-d19e-4a81-b789-25b8e9445913"):
    texts, at = b"", 20 + 12 * len(pairs)
    head = guid(kind) + struct.pack("<HH", 0, len(pairs))
    for key, value in pairs:
        k, v = key.encode("utf-16-le"), value.encode("utf-16-le")
        head += struct.pack("<IIHH", at + len(texts), at + len(texts) + len(k), len(k), len(v))
        texts += k + v
    return head + texts

def items(size, block=MIB, sector=512, parent=None, **other):
    flags = 2 if parent else 0
    out = [("caa16737-fa36-4d43-b3b6-33f0aa44e76b", struct.pack("<II", block, flags), 4),
           ("2fa54224-cd1b-4876-b211-5dbed83bf4b8", struct.pack("<Q", size), 6),
           ("beca12ab-b2e6-4523-93ef-c309e000c746", b"v" * 16, 6),
           ("8141bf1d-a96f-4709-ba47-f233a8faab5f", struct.pack("<I", sector), 6),
           ("cda348c7-445d-4471-9cc9-e9885251c556", struct.pack("<I", 4096), 6)]
    if parent:
        out.append(("a8d35f2d-b30b-454d-abf7-d3d84834ab0c", parent, 4))
    return out

def index(block, ratio):
    return block + block // ratio

# blocks: number -> bytes (fully present), {sector: bytes} (partially), or a state alone.
def image(size, blocks, block=MIB, sector=512, parent=None, head=None, second=None, **other):
    ratio = (sector << 23) // block
    count = -(-size // block)
    out = bytearray(4 * MIB)
    out[:8] = b"vhdxfile"
    out[65536:65536 + 4096] = head or header(1, **other)
    out[131072:131072 + 4096] = second or header(2, **other)
    out[196608:262144] = out[262144:327680] = regions()
    m = metadata(items(size, block, sector, parent))
    out[META:META + len(m)] = m
    bat = {}
    for n, content in blocks.items():
        if isinstance(content, int):
            bat[index(n, ratio)] = content
            continue
        at = len(out)
        if isinstance(content, dict):
            sb = n // ratio * (ratio + 1) + ratio
            if sb not in bat:
                bat[sb] = at | 6
                out += bytes(MIB)
                at = len(out)
            bits = bat[sb] & ~(MIB - 1)
            data = bytearray(block)
            for s, bytes1 in content.items():
                bit = n % ratio * (block // sector) + s
                out[bits + bit // 8] |= 1 << bit % 8
                data[s * sector:s * sector + len(bytes1)] = bytes1
            bat[index(n, ratio)] = at | 7
            out += data
        else:
            bat[index(n, ratio)] = at | 6
            out += content.ljust(block, b"\0")
    for i, entry in bat.items():
        struct.pack_into("<Q", out, BAT + 8 * i, entry)
    return out

# ---- the log ----

# updates: (offset, 4096 bytes) or (offset, a length of zeros)
def entry(sequence, tail, updates, flushed=0, last=1 << 30, log_id=LOG_ID):
    heads, data = b"", b""
    for off, what in updates:
        if isinstance(what, int):
            heads += struct.pack("<4sIQQQ", b"zero", 0, what, off, sequence)
            continue
        heads += struct.pack("<4s4s8sQQ", b"desc", what[-4:], what[:8], off, sequence)
        data += struct.pack("<4sI", b"data", sequence >> 32) + what[8:-4]
        data += struct.pack("<I", sequence & 0xffffffff)
    heads = bytes(64) + heads
    heads = heads.ljust(-(-len(heads) // PAGE) * PAGE, b"\0")
    e = bytearray(heads + data)
    struct.pack_into("<4sIIIQII16sQQ", e, 0, b"loge", 0, len(e), tail, sequence, len(updates), 0,
                     log_id, flushed, last)
    return seal(e)

# Put entries into the log from offset at on, around its end when they reach that.
def put_log(out, entries, at=0, length=MIB):
    for e in entries:
        for i in range(0, len(e), PAGE):
            out[LOG + at:LOG + at + PAGE] = e[i:i + PAGE]
            at = (at + PAGE) % length
    return at

# As tests/formatdrive.c reads it: what of the image is not zeros.
def sparse(out, size=None):
    parts, i = [], 0
    while i < len(out):
        j = i
        while j < len(out) and any(out[j:j + 512]):
            j += 512
        if j > i:
            part = bytes(out[i:j]).rstrip(b"\0")
            parts.append(struct.pack("<QI", i, len(part)) + part)
        i = max(j, i + 512)
    return b"SPARSE01" + struct.pack("<Q", size or len(out)) + b"".join(parts)
