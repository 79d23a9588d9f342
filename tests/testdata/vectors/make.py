"""Makes the vectors beside this file: `pip install mmdb_writer maxminddb hpack netaddr; python make.py`.

They stand in for those of others where `../shared/vectors` is missing. Nothing here shares code with lib: PROXY
headers are put together from the text of haproxy/doc/proxy-protocol.txt, SPIFFE IDs from the SPIFFE-ID standard,
databases by mmdb_writer and read back by maxminddb, header blocks by python-hpack.
"""
import ipaddress, json, pathlib, random, struct

import hpack, maxminddb, netaddr
from mmdb_writer import MMDBWriter

HERE = pathlib.Path(__file__).parent
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def write_lines(name, rows):
    path = HERE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


# --- PROXY protocol -------------------------------------------------------------------------------
def v2(command, family, block, length=None):
    return SIGNATURE + struct.pack(">BBH", 0x20 | command, family, len(block) if length is None else length) + block


def pair(source, destination, ports=(1000, 443)):
    packed = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return packed + struct.pack(">HH", *ports)


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def crc32c(octets):
    crc = 0xFFFFFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def proxy_vectors():
    four = ("192.0.2.1", "198.51.100.2")
    six = ("2001:db8::1", "2001:db8::2")

    def good(name, raw, version, family, addresses, tail=b"", **more):
        source, destination = addresses or (None, None)
        expected = dict(version=version, command="PROXY", family=family, src=source, dst=destination,
                        src_port=1000, dst_port=443, header_len=len(raw), trailing_hex=tail.hex(), tlvs=[])
        expected.update(more)
        return dict(name=name, hex=(raw + tail).hex(), expected=expected)

    def bad(name, raw):
        return dict(name=name, hex=raw.hex(), expected=dict(error=True))

    def short(name, raw):
        return dict(name=name, hex=raw.hex(), expected=dict(incomplete=True))

    for tail in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"):
        with_tail = f" before {len(tail)} octets"
        yield good("v1 TCP4" + with_tail, b"PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r\n", 1, "inet", four, tail)
        yield good("v1 TCP6" + with_tail, b"PROXY TCP6 2001:db8::1 2001:db8::2 1000 443\r\n", 1, "inet6", six, tail)
        yield good("v1 UNKNOWN" + with_tail, b"PROXY UNKNOWN\r\n", 1, "unspec", None, tail)
        for kind, transport in ((1, "stream"), (2, "dgram")):
            yield good(f"v2 inet {transport}" + with_tail, v2(1, 0x10 | kind, pair(*four)), 2, "inet", four, tail)
            yield good(f"v2 inet6 {transport}" + with_tail, v2(1, 0x20 | kind, pair(*six)), 2, "inet6", six, tail)
            unix = b"/a".ljust(108, b"\0") + b"/b".ljust(108, b"\0")
            yield good(f"v2 unix {transport}" + with_tail, v2(1, 0x30 | kind, unix), 2, "unix", None, tail)
        yield good("v2 unspec" + with_tail, v2(1, 0, b""), 2, "unspec", None, tail)
        yield good("v2 LOCAL" + with_tail, v2(0, 0, b""), 2, "unspec", None, tail, command="LOCAL")
        yield good("v2 LOCAL with a block" + with_tail, v2(0, 0x11, pair(*four)), 2, "unspec", None, tail,
                   command="LOCAL")

    lists = {
        "authority": [(0x02, b"a.example")],
        "ALPN": [(0x01, b"h2")],
        "NOOP twice": [(0x04, b""), (0x04, b"\0\0")],
        "unique id": [(0x05, bytes(range(128)))],
        "namespace": [(0x30, b"blue")],
        "of nobody": [(0xE0, b""), (0xEA, b"\x01vpce")],
    }
    for name, tlvs in lists.items():
        block = pair(*four) + b"".join(tlv(*one) for one in tlvs)
        yield good(f"v2 TLV {name}", v2(1, 0x11, block), 2, "inet", four,
                   tlvs=[dict(type=kind, hex=value.hex()) for kind, value in tlvs])
    ssl = struct.pack(">BI", 0x07, 0) + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"client")
    yield good("v2 TLV SSL", v2(1, 0x11, pair(*four) + tlv(0x20, ssl)), 2, "inet", four,
               tlvs=[dict(type=0x20, hex=ssl.hex(), ssl=dict(client=7))])
    ssl = struct.pack(">BI", 0x00, 1)
    yield good("v2 TLV SSL without TLS", v2(1, 0x11, pair(*four) + tlv(0x20, ssl)), 2, "inet", four,
               tlvs=[dict(type=0x20, hex=ssl.hex(), ssl=dict(client=0))])
    blank = v2(1, 0x21, pair(*six) + tlv(0x03, bytes(4)))
    sum_ = struct.pack(">I", crc32c(blank))
    yield good("v2 CRC32C", blank[:-4] + sum_, 2, "inet6", six, crc32c_valid=True,
               tlvs=[dict(type=3, hex=sum_.hex())])
    yield bad("v2 CRC32C of other octets", blank[:-4] + bytes(octet ^ 1 for octet in sum_))
    big = v2(1, 0x11, pair(*four) + tlv(0xE1, bytes(1000)))
    yield good("v2 TLV of 1000 octets", big, 2, "inet", four, tlvs=[dict(type=0xE1, hex=bytes(1000).hex())])

    for line in ("PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\n", "PROXY TCP4 192.0.2.1 198.51.100.2 01000 443\r\n",
                 "PROXY TCP4 192.0.2.01 198.51.100.2 1000 443\r\n", "PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
                 "PROXY TCP4  192.0.2.1 198.51.100.2 1000 443\r\n", "PROXY TCP4 192.0.2.256 198.51.100.2 1 443\r\n",
                 "PROXY TCP4 192.0.2.1 198.51.100.2 1000 443 \r\n", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
                 "PROXY TCP6 192.0.2.1 198.51.100.2 1000 443\r\n", "PROXY TCP6 fe80::1%lo ::1 1000 443\r\n",
                 "PROXY UDP4 192.0.2.1 198.51.100.2 1000 443\r\n", "PROXY TCP4 192.0.2.1 198.51.100.2 1000\r\n",
                 "PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n", "PROXY TCP4 a.example 198.51.100.2 1 2\r\n",
                 "proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n", "PROXY\r\n", "PROXYTCP4\r\n", "GET / HTTP/1.1\r\n\r\n",
                 "PROXY UNKNOWN " + "x" * 92 + "\r\n", "\x16\x03\x01\x02\x00\x01"):
        yield bad(f"v1 {line!r}", line.encode())
    for name, raw in {"version 1": SIGNATURE + b"\x11\x11\0\x0c" + pair(*four),
                      "version 3": SIGNATURE + b"\x31\x11\0\x0c" + pair(*four),
                      "command 2": v2(2, 0x11, pair(*four)), "family 4": v2(1, 0x41, pair(*four)),
                      "transport 3": v2(1, 0x13, pair(*four)), "inet of 11 octets": v2(1, 0x11, pair(*four)[:11]),
                      "inet6 of 35 octets": v2(1, 0x21, pair(*six)[:35]),
                      "unix of 215 octets": v2(1, 0x31, bytes(215)),
                      "TLV past the end": v2(1, 0x11, pair(*four) + b"\x02\0\x05abcd") + b"e",
                      "a rest of two octets": v2(1, 0x11, pair(*four) + b"\x02\0")}.items():
        yield bad(f"v2 {name}", raw)
    yield short("v1 without its end", b"PROXY TCP4 192.0.2.1 198.51.100.2 1000 443\r")
    yield short("v2 whose block is to come", v2(1, 0x11, b"", 12))
    yield short("v2 whose last octet is to come", v2(1, 0x21, pair(*six))[:-1])


# --- SPIFFE-ID ------------------------------------------------------------------------------------
def spiffe_vectors():
    def good(domain, path):
        return dict(uri=f"spiffe://{domain}{path}", valid=True, trust_domain=domain, path=path)

    for domain in ("e", "e.example", "1.2.3.4", "a_b", "a-b", "x" * 255):
        for path in ("", "/a", "/a/b", "/A.b_c-d", "/...", "/.a", "/1"):
            yield good(domain, path)
    bad = ["", "spiffe", "spiffe:", "spiffe:/", "spiffe://", "spiffe:///a", "http://e/a", "//e/a", "e/a",
           "spiffe:e/a", "spiffe:/e/a", "spiffe://e/", "spiffe://e//", "spiffe://e//a", "spiffe://e/a/",
           "spiffe://e/.", "spiffe://e/..", "spiffe://e/./a", "spiffe://e/../a", "spiffe://e/a/.."]
    outside = [chr(code) for code in range(128) if not (chr(code).isalnum() or chr(code) in "._-")]
    bad += [f"spiffe://e{char}e/a" for char in outside if char != "/"]
    bad += [f"spiffe://e/a{char}b" for char in outside if char != "/"] + ["spiffe://e/\u00e9", "spiffe://\u00e9/a"]
    yield from (dict(uri=uri, valid=False) for uri in bad)
    # §2.1, §2.3 and §2.4: case and length, where implementations differ.
    scheme = ["SPIFFE", "Spiffe", "sPiffe", "spIffe", "spiFfe", "spifFe", "spiffE"]
    domains = ["E", "Ee", "eE", "e.E", "E.e", "x" * 256, "x" * 300] + [f"a{chr(65 + i)}" for i in range(14)]
    long = ["spiffe://e/" + "a" * count for count in (2038, 2100)]
    for uri in [f"{name}://e/a" for name in scheme] + [f"spiffe://{name}/a" for name in domains] + long:
        yield dict(uri=uri, valid=False, divergent="case or length")


# --- MaxMind DB -----------------------------------------------------------------------------------
COUNTRIES = {
    "1.2.0.0/16": ("DE", "DE"), "1.2.3.0/24": ("FR", "DE"), "9.9.9.9/32": ("SE", "US"), "128.0.0.0/1": ("US", "US"),
    "203.0.113.0/25": (None, "NL"), "2001:db8::/32": ("JP", "JP"), "2001:db8:1::/48": ("KR", "JP"),
    # As in MaxMind's own test file.
    "2.125.160.216/29": ("GB", "US"), "81.2.69.142/31": ("GB", "US"), "89.160.20.112/28": ("SE", "DE"),
    "216.160.83.56/29": ("US", "US"), "2001:218::/32": ("JP", "JP"), "2a00::/12": ("GB", "IE"), "fd00::1/128": ("CH", "CH"), "8.8.8.0/29": (None, None),
}


def mmdb_vectors():
    folder = HERE / "mmdb/test-data"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, version, kind in (("GeoLite2-Country-Test", 6, "GeoLite2-Country"),
                                ("GeoIP2-City-Test", 6, "GeoIP2-City"),
                                ("GeoIP2-Country-Test-IPv4", 4, "GeoIP2-Country"),
                                ("GeoLite2-ASN-Test", 6, "GeoLite2-ASN")):
        networks = {net: codes for net, codes in COUNTRIES.items() if version == 6 or ":" not in net}
        writer = MMDBWriter(ip_version=version, ipv4_compatible=version == 6, database_type=kind, languages=["en"])
        for net, (country, registered) in networks.items():
            record = {"city": {"names": {"en": f"Town of {net}"}}, "location": {"latitude": 1.5, "longitude": -2.5}}
            if country: record["country"] = {"iso_code": country, "geoname_id": 1}
            if registered: record["registered_country"] = {"iso_code": registered}
            if "ASN" in kind: record = {"autonomous_system_number": 64496}
            writer.insert_network(netaddr.IPSet([net]), record)
        path = folder / f"{name}.mmdb"
        writer.to_db_file(str(path))
        if "ASN" in kind: continue
        with maxminddb.open_database(str(path), maxminddb.MODE_MEMORY) as reader:
            for net in networks:
                first, last = (ipaddress.ip_network(net)[at] for at in (0, -1))
                for ip in (first - 1, first, last, last + 1 if int(last) + 1 < 2 ** last.max_prefixlen else last):
                    found = reader.get(str(ip))
                    codes = {key: found[key]["iso_code"] for key in ("country", "registered_country") if key in found} \
                        if found else None
                    rows.append(dict(db=path.name, ip=str(ip), expected=codes))
    write_lines("mmdb/expected_lookups.jsonl", rows)
    whole = (folder / "GeoIP2-City-Test.mmdb").read_bytes()
    at = whole.index(b"node_count") + len(b"node_count")
    size = {0xC1: 1, 0xC2: 2}[whole[at]] if whole[at] in (0xC1, 0xC2) else whole[at] & 31
    broken = whole[:at + 1] + b"\xff" * size + whole[at + 1 + size:]
    (folder / "GeoIP2-City-Test-Invalid-Node-Count.mmdb").write_bytes(broken)


# --- HPACK ----------------------------------------------------------------------------------------
def hpack_story(seed, sizes):
    source = random.Random(seed)
    encoder = hpack.Encoder()
    cases = []
    for number in range(24):
        case = {}
        if number and number % 6 == 0 and sizes:
            encoder.header_table_size = case["header_table_size"] = sizes[number // 6 % len(sizes)]
        headers = [(":method", source.choice(["GET", "POST"])), (":scheme", "https"),
                   (":authority", source.choice(["a.example", "b.example"])),
                   (":path", "/" + source.choice(["", "index.html", f"item/{number % 4}?q=\u007e"]))]
        headers += source.sample([("accept", "text/html,application/xhtml+xml;q=0.9"), ("user-agent", "vector/1.0"),
                                  ("accept-encoding", "gzip, deflate"), ("cookie", "a=" + "0123456789" * 8),
                                  ("cache-control", "max-age=0"), ("x-empty", "")], 4)
        wire = encoder.encode(headers, huffman=source.random() < 0.7)
        cases.append(dict(case, wire=wire.hex(), headers=[{name: value} for name, value in headers]))
    return dict(cases=cases)


write_lines("proxy_protocol/vectors_dev.jsonl", proxy_vectors())
write_lines("spiffe/spiffe_ids.jsonl", spiffe_vectors())
mmdb_vectors()
for number, sizes in enumerate(([], [4096, 256, 0, 1024], [100, 4096])):
    path = HERE / f"hpack/python-hpack/story_{number:02}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(hpack_story(number, sizes)) + "\n")
