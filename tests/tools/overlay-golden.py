#!/usr/bin/env python3
"""Writes tests/data/overlay/golden.txt and the seeds of the overlay's fuzz targets.

A second implementation, made from the headers' tables and the standards alone: it shares no code
with overlay/. BLAKE2b is hashlib's; Ed25519, X25519, Argon2id, ChaCha20-Poly1305 and Poly1305 are
those of the Python package `cryptography` (44 or newer, on OpenSSL); Salsa20, HSalsa20 and HChaCha20
are written here from their papers, the base32 check from the text of overlay/session_id.h. It is run
by hand when a layout changes; the tests only read what it wrote.

    overlay-golden.py tests/data
"""
import hashlib
import os
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.poly1305 import Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

M32 = 0xFFFFFFFF
P25519 = 2**255 - 19
NOW = 1800000000  # 2027-01-15 08:00 UTC
NETWORK = bytes(range(32))


def be(n, size):
    return n.to_bytes(size, "big")


def blake(size, *parts):
    return hashlib.blake2b(b"".join(parts), digest_size=size).digest()


def derive(key, label, context=b""):
    return hashlib.blake2b(label + b"\0" + context, digest_size=32, key=key).digest()


def argon(password, salt, mib, size):
    return Argon2id(salt=salt, length=size, iterations=1, lanes=1,
                    memory_cost=mib * 1024).derive(password)


# ---- ciphers -------------------------------------------------------------------------------------
def rotl(x, n):
    return (x << n | x >> (32 - n)) & M32


def hchacha20(key, nonce16):
    s = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
    s += struct.unpack("<8I", key) + struct.unpack("<4I", nonce16)

    def quarter(a, b, c, d):
        for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & M32
            s[z] = rotl(s[z] ^ s[x], n)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *(s[0:4] + s[12:16]))


def xchacha_seal(key, nonce, plain, associated):
    subkey = hchacha20(key, nonce[:16])
    return ChaCha20Poly1305(subkey).encrypt(b"\0" * 4 + nonce[16:], plain, associated)


def salsa_rounds(s):
    s = list(s)

    def quarter(a, b, c, d):
        s[b] ^= rotl((s[a] + s[d]) & M32, 7)
        s[c] ^= rotl((s[b] + s[a]) & M32, 9)
        s[d] ^= rotl((s[c] + s[b]) & M32, 13)
        s[a] ^= rotl((s[d] + s[c]) & M32, 18)

    for _ in range(10):
        quarter(0, 4, 8, 12), quarter(5, 9, 13, 1), quarter(10, 14, 2, 6), quarter(15, 3, 7, 11)
        quarter(0, 1, 2, 3), quarter(5, 6, 7, 4), quarter(10, 11, 8, 9), quarter(15, 12, 13, 14)
    return s


def salsa_state(key, block16):
    c = struct.unpack("<4I", b"expand 32-byte k")
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", block16)
    return [c[0], *k[:4], c[1], *n, c[2], *k[4:], c[3]]


def hsalsa20(key, nonce16):
    s = salsa_rounds(salsa_state(key, nonce16))
    return struct.pack("<8I", *(s[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def xsalsa_stream(key, nonce24, size):
    subkey = hsalsa20(key, nonce24[:16])
    out = b""
    for counter in range((size + 63) // 64):
        start = salsa_state(subkey, nonce24[16:] + struct.pack("<Q", counter))
        out += struct.pack("<16I", *((a + b) & M32 for a, b in zip(start, salsa_rounds(start))))
    return out[:size]


def box_seal(plain, ephemeral, recipient):
    secret = X25519PrivateKey.from_private_bytes(ephemeral)
    public = secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = secret.exchange(X25519PublicKey.from_public_bytes(recipient))
    key = hsalsa20(shared, b"\0" * 16)
    stream = xsalsa_stream(key, blake(24, public, recipient), 32 + len(plain))
    cipher = bytes(a ^ b for a, b in zip(plain, stream[32:]))
    return public + Poly1305.generate_tag(stream[:32], cipher) + cipher


# ---- nodes ---------------------------------------------------------------------------------------
class Node:
    """The first seed `name`, `name`1, `name`2, ... whose public key has sign bit 0."""

    def __init__(self, name):
        number = 0
        while True:
            self.seed = hashlib.sha256(b"%s%d" % (name, number)).digest()
            self.key = Ed25519PrivateKey.from_private_bytes(self.seed)
            self.id = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            if self.id[31] < 128:
                break
            number += 1

    def exchange(self):
        y = int.from_bytes(self.id, "little")
        u = (1 + y) * pow(1 - y, P25519 - 2, P25519) % P25519
        return u.to_bytes(32, "little")

    def sign(self, domain, message):
        return self.key.sign(domain + b"\0" + NETWORK + message)

    def puzzle(self, bits):
        nonce = 0
        while leading_zeros(argon(self.id, be(nonce, 8) + bytes(8), 1, 16)) < bits:
            nonce += 1
        return nonce


def leading_zeros(b):
    return len(b) * 8 - int.from_bytes(b, "big").bit_length()


DOMAINS = {1: b"p2c2r overlay capacity ad 1", 2: b"p2c2r overlay invite 1",
           3: b"p2c2r overlay session 1"}


def record(node, kind, key, not_before, expires, sequence, nonce, body):
    head = bytes([1, kind]) + node.id + key + be(not_before, 8) + be(expires, 8)
    head += be(sequence, 8) + be(nonce, 8) + body
    return head + node.sign(DOMAINS[kind], head)


def overlay_key(label, *parts):
    return blake(32, label + b"\0", NETWORK, *parts)[:20]


def stamp(content, key, bits):
    digest = blake(32, b"p2c2r stamp\0", NETWORK, key, content)
    nonce = 0
    while leading_zeros(blake(32, digest, be(nonce, 8))) < bits:
        nonce += 1
    return content + be(nonce, 8)


def ip4(text):
    return b"\4" + bytes(int(x) for x in text.split(".")) + bytes(12)


def ip6(text):
    return b"\6" + bytes.fromhex(text)


def endpoints(slots, *used):
    out = bytes([len(used)])
    for ip, port in used:
        out += ip + be(port, 2)
    return out + bytes(19) * (slots - len(used))


# ---- session IDs ---------------------------------------------------------------------------------
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def gf_times(x, y):
    out = 0
    for bit in range(5):
        if y >> bit & 1:
            out ^= x << bit
    for bit in range(9, 4, -1):
        if out >> bit & 1:
            out ^= 0b100101 << (bit - 5)
    return out


def session_text(bits75):
    symbols = [bits75 >> (70 - 5 * i) & 31 for i in range(15)]
    total, weight = 0, 2  # a, then a^2 towards the front
    for s in reversed(symbols):
        total ^= gf_times(s, weight)
        weight = gf_times(weight, 2)
    text = "".join(ALPHABET[s] for s in symbols + [total])
    return "-".join(text[i:i + 4] for i in range(0, 16, 4))


def session(node, salt):
    bits = int.from_bytes(argon(node.id, salt, 16, 16), "big") >> 53
    packed = be(bits << 5, 10)
    master = argon(packed, blake(16, b"p2c2r session master\0", NETWORK), 16, 32)
    return session_text(bits), packed, master


def main():
    out = []

    def add(name, value):
        out.append("%s %s" % (name, value.hex() if isinstance(value, bytes) else value))

    helper, authority = Node(b"helper"), Node(b"authority")
    puzzle_bits, stamp_bits = 4, 8
    helper_nonce, authority_nonce = helper.puzzle(puzzle_bits), authority.puzzle(puzzle_bits)
    add("helper-seed", helper.seed)
    add("helper-id", helper.id)
    add("helper-puzzle-nonce", be(helper_nonce, 8))
    add("authority-seed", authority.seed)
    add("authority-id", authority.id)
    add("authority-puzzle-nonce", be(authority_nonce, 8))

    stored = b"P2PZ" + bytes([1, puzzle_bits, 1]) + helper.id + be(helper_nonce, 8)
    add("puzzle-stored", stored + blake(16, b"p2c2r puzzle file\0", stored))

    place = blake(32, b"p2c2r shard\0", helper.id)
    depth = 5
    shard = int.from_bytes(place[:4], "big") >> (32 - depth) << (32 - depth)
    region = b"utc+1".ljust(16, b"\0")
    key = overlay_key(b"p2c2r directory", region, bytes([depth]) + be(shard, 4))
    tags = sorted(struct.unpack(">H", blake(32, b"p2c2r kernel tag\0", n + b"\0", be(v, 4))[:2])[0]
                  for n, v in ((b"physics_step", 1), (b"render_frame", 2)))
    body = region + bytes([depth, 1]) + be(8, 2) + be(6, 2) + be(150000, 4) + ip4("203.0.113.9")
    body += bytes([len(tags)]) + b"".join(be(t, 2) for t in tags) + bytes(2 * (16 - len(tags)))
    ad = record(helper, 1, key, NOW, NOW + 540, 7, helper_nonce, body)
    add("ad-shard", be(shard, 4))
    add("ad-key", key)
    add("ad-value", stamp(ad, key, stamp_bits))

    for copy in (0, 1):
        key = overlay_key(b"p2c2r inbox", helper.id, bytes([copy]))
        token = bytes(range(0x40, 0x50))
        body = helper.id + token + b"\1" + endpoints(
            4, (ip4("198.51.100.7"), 4242), (ip6("20010db8000000000000000000000007"), 4243))
        plain = record(authority, 2, key, NOW, NOW + 120, 9, authority_nonce, body)
        ephemeral = bytes([0x70 + copy]) * 32
        sealed = box_seal(plain, ephemeral, helper.exchange())
        add("invite-%d-key" % copy, key)
        add("invite-%d-value" % copy, stamp(sealed, key, stamp_bits))

    for number in (0, 1, 2):
        salt = bytes([0xA0 + number]) * 16
        text, packed, master = session(authority, salt)
        add("session-%d-salt" % number, salt)
        add("session-%d-text" % number, text)
        add("session-%d-bytes" % number, packed)
        add("session-%d-master" % number, master)
        for copy in (0, 1):
            slot = NOW // 3600
            key = derive(master, b"p2c2r session key", bytes([copy]) + be(slot, 8))[:20]
            add("session-%d-key-%d" % (number, copy), key)
            body = salt + b"\2" + endpoints(8, (ip4("203.0.113.80"), 7777),
                                            (ip6("20010db8000000000000000000000050"), 7777))
            plain = record(authority, 3, key, NOW, NOW + 540, 3, authority_nonce, body)
            nonce = hashlib.sha256(b"nonce%d%d" % (number, copy)).digest()[:24]
            value = nonce + xchacha_seal(derive(master, b"p2c2r session seal"), nonce, plain, key)
            add("session-%d-value-%d" % (number, copy), value)
    return out


# ---- seeds of the fuzz targets -------------------------------------------------------------------
def write_seeds(folder, golden):
    values = dict(line.split(" ", 1) for line in golden)
    text = values["session-0-text"]
    seeds = {
        "overlay-record/ad": bytes.fromhex(values["ad-value"]),
        "overlay-record/session": bytes.fromhex(values["session-0-value-0"]),
        "overlay-record/invite": bytes.fromhex(values["invite-0-value"]),
        "overlay-record/version": b"\2" + bytes.fromhex(values["ad-value"])[1:],
        "overlay-record/short": b"\1\1" + bytes(100),
        "overlay-record/ad-body": bytes.fromhex(values["ad-value"])[86:162],
        "overlay-record/session-body": bytes(16) + b"\2" + endpoints(
            8, (ip4("203.0.113.80"), 7777), (ip6("20010db8000000000000000000000050"), 7777)),
        "overlay-invite/body": bytes(48) + b"\1" + endpoints(
            4, (ip4("198.51.100.7"), 4242), (ip6("20010db8000000000000000000000007"), 4243)),
        "overlay-invite/copy-0": bytes.fromhex(values["invite-0-value"]),
        "overlay-invite/copy-1": bytes.fromhex(values["invite-1-value"]),
        "overlay-invite/no-stamp": bytes.fromhex(values["invite-0-value"])[:-8] + bytes(8),
        "overlay-link/bare": text.encode(),
        "overlay-link/lower": text.lower().replace("-", "").encode(),
        "overlay-link/link": b"p2c2r://join/" + text.encode(),
        "overlay-link/wrong-scheme": b"http://join/" + text.encode(),
        "overlay-link/at": b"p2c2r://join/" + text.encode() + b"?at=[2001:db8::7]:4242&key="
                           + id_text(bytes.fromhex(values["authority-id"])),
        "overlay-link/name": b"p2c2r://join/" + text.encode() + b"?at=host.example.org:4242&key="
                             + id_text(bytes.fromhex(values["authority-id"])),
        "overlay-link/no-key": b"p2c2r://join/" + text.encode() + b"?at=host.example.org:4242",
    }
    for name, data in seeds.items():
        path = os.path.join(folder, "fuzz", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


def id_text(key):
    bits = int.from_bytes(key + blake(16, b"p2c2r id check\0", key)[:3], "big")
    return "".join(ALPHABET[bits >> (275 - 5 * i) & 31] for i in range(56)).lower().encode()


if __name__ == "__main__":
    lines = main()
    os.makedirs(os.path.join(sys.argv[1], "overlay"), exist_ok=True)
    with open(os.path.join(sys.argv[1], "overlay", "golden.txt"), "w") as file:
        file.write("\n".join(lines) + "\n")
    write_seeds(sys.argv[1], lines)
