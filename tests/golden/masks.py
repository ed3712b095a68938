#!/usr/bin/python3
"""Writes masks.h: a round of secure aggregation, computed by another program than ours, for tests/unit/test_masks.c.

    tests/golden/masks.py > tests/golden/masks.h

Plain Python by the papers: X25519 (RFC 7748), ChaCha20 and Poly1305 (RFC 8439), XChaCha20 (draft-irtf-cfrg-xchacha-03),
Shamir's shares over GF(2^8) by logarithms to base 3. Each is tried on its published values before anything is written.
"""
import hashlib
import struct

from c_source import begin, braced, end, enum

# ---- GF(2^8) and shares ----

EXP = [1]
while len(EXP) < 255:
    x = EXP[-1] ^ EXP[-1] << 1
    EXP.append(x ^ 0x11B if x > 255 else x)
LOG = {x: i for i, x in enumerate(EXP)}


def product(a, b):
    return EXP[(LOG[a] + LOG[b]) % 255] if a and b else 0


def deal(secret, coefficients, holder):
    share = []
    for i, byte in enumerate(secret):
        value, power = byte, 1
        for row in coefficients:
            power = product(power, holder)
            value ^= product(row[i], power)
        share.append(value)
    return bytes(share)


assert product(0x57, 0x83) == 0xC1 and product(0x57, 0x13) == 0xFE  # FIPS 197, 4.2

# ---- X25519 ----

P = 2**255 - 19


def x25519(k, u):
    k = int.from_bytes(k, "little") & ~(1 << 255 | 7) | 1 << 254
    k &= (1 << 255) - 1
    x1 = int.from_bytes(u, "little") % 2**255
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        e = aa - bb
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public(secret):
    return x25519(secret, (9).to_bytes(32, "little"))


ALICE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")  # RFC 7748, 6.1
BOB = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
assert x25519(ALICE, public(BOB)).hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"

# ---- ChaCha20, XChaCha20, Poly1305 ----

M32 = 0xFFFFFFFF


def rounds(state):
    s = list(state)

    def quarter(a, b, c, d):
        for x, y, z, r in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & M32
            v = s[z] ^ s[x]
            s[z] = (v << r | v >> 32 - r) & M32

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return s


def setup(key, tail):
    return struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", tail)


def block(key, counter, nonce):
    state = setup(key, struct.pack("<I", counter) + nonce)
    return struct.pack("<16I", *((a + b) & M32 for a, b in zip(rounds(state), state)))


def stream(key, nonce, length, counter=0):
    return b"".join(block(key, counter + i, nonce) for i in range(-(-length // 64)))[:length]


def poly1305(key, text):
    r, s = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF, int.from_bytes(key[16:], "little")
    a = 0
    for i in range(0, len(text), 16):
        a = (a + int.from_bytes(text[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((a + s) % 2**128).to_bytes(16, "little")


def padded(x):
    return x + bytes(-len(x) % 16)


def seal(key, nonce, data, text):
    """XChaCha20-Poly1305."""
    h = rounds(setup(key, nonce[:16]))
    key, nonce = struct.pack("<8I", *h[:4], *h[12:]), bytes(4) + nonce[16:]
    sealed = bytes(a ^ b for a, b in zip(text, stream(key, nonce, len(text), 1)))
    lengths = struct.pack("<QQ", len(data), len(sealed))
    return sealed + poly1305(block(key, 0, nonce)[:32], padded(data) + padded(sealed) + lengths)


assert block(bytes(range(32)), 1, bytes.fromhex("000000090000004a00000000"))[:8].hex() == "10f1e7e4d13b5915"  # RFC 8439, 2.3.2
assert seal(bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58)), bytes.fromhex("50515253c0c1c2c3c4c5c6c7"),
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "
            b"would be it.")[-16:].hex() == "c0875924c1c7987947deafd8780acf49"  # draft, A.3.1

# ---- the round ----

SITES, THRESHOLD, WORDS, LOST = 4, 3, 37, 2  # site 2 sends shares, but no vector


def number(x):
    return struct.pack("<Q", x % 2**64)


def kdf(label, *parts, key=b""):
    return hashlib.blake2b(label.encode().ljust(16, b"\0") + b"".join(parts), key=key, digest_size=32).digest()


def agreed(phase, view, counts, messages):
    return kdf(phase, view, *(number(i in counts) + (kdf("message", messages[i]) if i in counts and messages else b"")
                              for i in range(SITES)))


def side_by_side(seed, count):
    """The first words of 16 blocks, then their second ones, …; of the next 16 blocks the same."""
    words = []
    for group in range(-(-count // 256)):
        blocks = [struct.unpack("<16I", block(seed, 16 * group + i, bytes(12))) for i in range(16)]
        words += [b[w] for w in range(16) for b in blocks]
    return words[:count]


def head(phase, view):
    return b"dtmask1" + str(phase).encode() + view


class Site:
    def __init__(self, me, view):
        self.me, self.words = me, [(me * 1000003 + k * 7919 - 100000) % 2**32 for k in range(WORDS)]
        self.weight = 0x123456789ABC * (me + 1)
        secret = bytes([ord("A") + me] * 32)
        key = kdf("change key", view, number(me), key=secret)
        self.change = kdf("change", number(self.weight), poly1305(key, struct.pack(f"<{WORDS}I", *self.words)), key=key)
        root = kdf("root", view, number(me), self.change, key=secret)
        self.share, self.mask = kdf("share key", number(0), key=root), kdf("mask key", number(0), key=root)
        self.own = kdf("self mask", number(0), key=root)
        self.rows = [[kdf(label, number(k), key=root) for k in range(THRESHOLD - 1)]
                     for label in ("shares of self", "shares of mask")]

    def shares(self, to):
        return deal(self.own, self.rows[0], to + 1), deal(self.mask, self.rows[1], to + 1)

    def dealt(self, to, view, sites):
        mine, pair = sites[to], self.shares(to)
        if to == self.me:
            sealed = bytes(80)
        else:
            key = kdf("share", view, number(self.me), number(to), key=x25519(self.share, public(mine.share)))
            sealed = seal(key, bytes(24), view, b"".join(pair))
        return sealed + kdf("share of self", pair[0]) + kdf("share of mask", pair[1])

    def vector(self, view, sites):
        total = self.words + [self.weight >> 16 * i & 0xFFFF for i in range(4)]
        for other in sites:
            low, high = sorted((self.me, other.me))
            if other is self:
                seed = kdf("self", view, number(self.me), key=self.own)
            else:
                seed = kdf("pair", view, number(low), number(high), key=x25519(self.mask, public(other.mask)))
            mask = side_by_side(seed, len(total))
            total = [(a - b if other.me < self.me else a + b) % 2**32 for a, b in zip(total, mask)]
        return struct.pack(f"<{len(total)}I", *total)


context = kdf("round", number(1), number(2), number(3), number(SITES), number(THRESHOLD), number(WORDS),
              *(bytes([ord("a") + i] * 32) + number(1) for i in range(SITES)))
sites = [Site(i, context) for i in range(SITES)]
everybody, there = range(SITES), [i for i in range(SITES) if i != LOST]
keys = [head(0, context) + s.change + public(s.share) + public(s.mask) for s in sites]
view = agreed("keys", context, everybody, keys)
shares = [head(1, view) + kdf("self", s.own) + b"".join(s.dealt(to, view, sites) for to in everybody) for s in sites]
view = agreed("shares", view, everybody, shares)
vectors = [head(2, view) + s.vector(view, sites) for s in sites]
view = agreed("vector", view, there, None)
opened = [head(3, view) + b"".join(of.shares(s.me)[of.me == LOST] for of in sites) for s in sites]

begin("/* Written by tests/golden/masks.py; do not edit. */")
print("#include <stdint.h>\n")
enum(GOLDEN_SITES=SITES, GOLDEN_THRESHOLD=THRESHOLD, GOLDEN_WORDS=WORDS, GOLDEN_LOST=LOST)
print("/* The seven shares of the bytes 1 to 32, of which four are needed; coefficient k of byte i is (37 k + 11 i + 5) mod 256. */")
print("static const uint8_t golden_shares[7][32] = {")
coefficients = [bytes((37 * k + 11 * i + 5) % 256 for i in range(32)) for k in range(1, 4)]
for holder in range(1, 8):
    print(f"    {braced(deal(bytes(range(1, 33)), coefficients, holder))},")
print("};\n/* BLAKE2b-256 of each site's message of each phase. */")
print("static const uint8_t golden_messages[4][GOLDEN_SITES][32] = {")
for phase in (keys, shares, vectors, opened):
    print("    {" + ",\n     ".join(braced(hashlib.blake2b(m, digest_size=32).digest()) for m in phase) + "},")
print("};")
end()
