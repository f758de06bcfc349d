# SPDX-License-Identifier: GPL-2.0-or-later
"""Encoders of Apple's codecs, for tests: adc(data), lzvn(data), lzfse(data). They take turns with the
codes that fit, so that every kind is made, and do not care for size.

As a program: applecodecs.py CODEC <DATA >PACKED, where CODEC is one of those, bvx1 (headers that are
not packed) or lzvn-payload (without its block)."""
import collections
import random
import struct
import sys


def matches(data, longest, furthest, shortest=3):
    """(literals, length, distance) in turn; the last with length 0 where it holds only literals."""
    seen, at, literals = {}, 0, 0
    while at < len(data):
        key = data[at:at + shortest]
        found = seen.get(key)
        seen[key] = at
        if found is None or at - found > furthest or len(key) < shortest:
            at += 1
            continue
        n = shortest
        while n < longest and at + n < len(data) and data[found + n] == data[at + n]:
            n += 1
        yield data[literals:at], n, at - found
        for i in range(at, at + n, 1 + n // 16):
            seen[data[i:i + shortest]] = i
        at += n
        literals = at
    if literals < len(data):
        yield data[literals:], 0, 0


def adc(data):
    out = bytearray()
    for literals, n, back in matches(data, 5000, 65536):
        for i in range(0, len(literals), 128):
            piece = literals[i:i + 128]
            out += bytes([0x80 | len(piece) - 1]) + piece
        while n:
            # A rest of one or two bytes has no code.
            part = n if n <= 67 else min(67, n - 4)
            if part <= 18 and back <= 1024 and not (part > 3 and len(out) % 5 == 0):
                out += bytes([(part - 3) << 2 | back - 1 >> 8, back - 1 & 255])
            elif part >= 4:
                out += bytes([0x40 | part - 4]) + struct.pack(">H", back - 1)
            else:  # three bytes from far away: as they are
                start = sum_made(out)
                out += bytes([0x80 | part - 1]) + data[start:start + part]
            n -= part
    return bytes(out)


def sum_made(packed):
    at = made = 0
    while at < len(packed):
        b = packed[at]
        if b & 0x80:
            made += (b & 0x7f) + 1
            at += (b & 0x7f) + 2
        elif b & 0x40:
            made += (b & 0x3f) + 4
            at += 3
        else:
            made += (b >> 2 & 15) + 3
            at += 2
    return made


def lzvn_payload(data):
    rng = random.Random(len(data))
    out, previous = bytearray(), 0
    for literals, n, back in matches(data, 1500, 65535):
        while len(literals) > 3 or (literals and not n):
            part = min(len(literals), rng.choice((3, 15, 16, 271)))
            out += (bytes([0xe0 | part]) if part < 16 else bytes([0xe0, part - 16]))
            out += literals[:part]
            literals = literals[part:]
        if rng.random() < .1:
            out += rng.choice((b"\x0e", b"\x16"))
        first = True
        while n:
            low = len(literals)
            ways = []
            if not first or (back == previous and not low):
                ways.append("m")
            if not low or first:
                room = 10 if low == 0 else {1: 8, 2: 6, 3: 4}[low]
                if n >= 3 and back < 0x600:
                    ways.append("small")
                if n >= 3:
                    ways.append("large")
                if n >= 3 and back < 16384:
                    ways += ["medium"]
                if low and n >= 3 and back == previous:
                    ways += ["previous"] * 4
            way = rng.choice(ways)
            if way == "m":
                part = min(n, rng.choice((15, 271)))
                out += bytes([0xf0 | part]) if part < 16 else bytes([0xf0, part - 16])
            elif way == "medium":
                part = min(n, 34)
                m = part - 3
                out += bytes([0xa0 | low << 3 | m >> 2, (back & 63) << 2 | m & 3, back >> 6])
            else:
                part = min(n, room)
                head = low << 6 | part - 3 << 3
                if way == "small":
                    out += bytes([head | back >> 8, back & 255])
                elif way == "large":
                    out += bytes([head | 7]) + struct.pack("<H", back)
                else:
                    out += bytes([head | 6])
            out += literals
            literals, first, previous = b"", False, back
            n -= part
    return bytes(out) + b"\x06" + bytes(7)


def lzvn(data):
    payload = lzvn_payload(data)
    return b"bvxn" + struct.pack("<II", len(data), len(payload)) + payload + b"bvx$"


# ---- LZFSE ----

L = [(i, 0) for i in range(16)] + [(16, 2), (20, 3), (28, 5), (60, 8)]
M = [(i, 0) for i in range(16)] + [(16, 3), (24, 5), (56, 8), (312, 11)]
D = [(0, 0), (1, 0), (2, 0), (3, 0)]
while len(D) < 64:
    D.append((D[-1][0] + (1 << D[-1][1]), len(D) // 4))


class Bits:
    """Written upwards, read downwards."""

    def __init__(self):
        self.value, self.count, self.done = 0, 0, bytearray()

    def put(self, value, n):
        self.value |= value << self.count
        self.count += n
        while self.count >= 8:
            self.done.append(self.value & 255)
            self.value >>= 8
            self.count -= 8

    def finish(self):
        """The bytes, and minus the bits of the last one that are not used."""
        if self.count == 0:
            return bytes(self.done), 0
        return bytes(self.done) + bytes([self.value]), self.count - 8


class Coder:
    def __init__(self, symbols, count, states):
        self.states, seen = states, collections.Counter(symbols)
        total = sum(seen.values())
        self.freq = [max(1, seen[s] * states // total) if seen[s] else 0 for s in range(count)]
        while sum(self.freq) != states and total:
            most = max(range(count), key=lambda s: self.freq[s])
            self.freq[most] += max(1 - self.freq[most], states - sum(self.freq))
        self.first, at = [], 0
        for f in self.freq:
            self.first.append(at)
            at += f

    def put(self, bits, state, symbol):
        f, k, x = self.freq[symbol], 0, self.states + state
        while x >> k >= 2 * f:
            k += 1
        bits.put(x & (1 << k) - 1, k)
        return self.first[symbol] + (x >> k) - f


def symbol_of(values, v):
    s = max(i for i, (base, _) in enumerate(values) if base <= v)
    return s, v - values[s][0], values[s][1]


def freq_bits(f):
    if f < 2:
        return f << 1, 2
    if f < 4:
        return 1 | (f - 2) << 2, 3
    if f < 8:
        return 3 | (f - 4) << 3, 5
    if f < 24:
        return 7 | (f - 8) << 4, 8
    return 15 | (f - 24) << 4, 14


def entropy_block(triples, magic):
    literals = b"".join(t[0] for t in triples)
    raw = len(literals) + sum(t[1] for t in triples)
    used = len(literals)
    literals += bytes([literals[-1] if literals else 0]) * (-len(literals) % 4)
    coded, previous = [], 0
    for i, (lit, n, back) in enumerate(triples):
        back = back or previous or 1
        coded.append((symbol_of(L, len(lit)), symbol_of(M, n),
                      symbol_of(D, 0 if back == previous else back)))
        previous = back
    coders = [Coder([c[i][0] for c in coded], len(v), states)
              for i, (v, states) in enumerate(((L, 64), (M, 64), (D, 256)))]
    literal = Coder(literals, 256, 1024)
    bits, state = Bits(), [0, 0, 0, 0]
    for i in range(len(literals) - 1, -1, -1):
        state[i % 4] = literal.put(bits, state[i % 4], literals[i])
    literal_bytes, literal_bits = bits.finish()
    bits, lmd = Bits(), [0, 0, 0]
    for c in reversed(coded):
        for i in 2, 1, 0:
            symbol, more, n = c[i]
            bits.put(more, n)
            lmd[i] = coders[i].put(bits, lmd[i], symbol)
    lmd_bytes, lmd_bits = bits.finish()
    lmd_bytes = bytes(8) + lmd_bytes  # Apple's encoder leaves them, and 7-Zip insists
    freq = coders[0].freq + coders[1].freq + coders[2].freq + literal.freq
    body = literal_bytes + lmd_bytes
    if magic == b"bvx1":
        return magic + struct.pack("<IIIIIIi4Hi3H", raw, len(body), used, len(coded),
                                   len(literal_bytes), len(lmd_bytes), literal_bits, *state,
                                   lmd_bits, *lmd) + struct.pack("<360H2x", *freq) + body
    packed = Bits()
    for f in freq:
        packed.put(*freq_bits(f))
    packed = packed.finish()[0]
    fields = struct.pack(
        "<QQQ", len(literals) | len(literal_bytes) << 20 | len(coded) << 40
        | literal_bits + 7 << 60,
        state[0] | state[1] << 10 | state[2] << 20 | state[3] << 30 | len(lmd_bytes) << 40
        | lmd_bits + 7 << 60,
        32 + len(packed) | lmd[0] << 32 | lmd[1] << 42 | lmd[2] << 52)
    return magic + struct.pack("<I", raw) + fields + packed + body


def triples_of(data):
    for literals, n, back in matches(data, 2359, 262139, 4):
        while len(literals) > 315:
            yield literals[:315], 0, 0
            literals = literals[315:]
        yield literals, n, back


def lzfse(data, magic=b"bvx2", per_block=3000):
    out, block, literals = b"", [], 0
    for t in triples_of(data):
        block.append(t)
        literals += len(t[0])
        if len(block) == per_block or literals > 39000:
            out += entropy_block(block, magic)
            block, literals = [], 0
    if block:
        out += entropy_block(block, magic)
    return out + b"bvx$"


def bvx1(data):
    return lzfse(data, b"bvx1")


if __name__ == "__main__":
    sys.stdout.buffer.write(globals()[sys.argv[1].replace("-", "_")](sys.stdin.buffer.read()))
