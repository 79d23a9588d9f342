"""Writes records.json: records as text and as dnspython (2.9) puts them on the wire.

python3 make.py > records.json
"""

import json

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

ORIGIN = dns.name.from_text("example.com.")

RECORDS = [
    ("A", "192.0.2.1"),
    ("AAAA", "2001:db8::1"),
    ("AAAA", "::ffff:192.0.2.1"),
    ("NS", "ns1"),
    ("NS", "@"),
    ("CNAME", "Other.Example."),
    ("CNAME", "."),
    ("PTR", "a\\.b.c"),
    ("SOA", "ns1 host\\.master 2024010101 7200 1800 1209600 300"),
    ("MX", "10 mail"),
    ("MX", "0 ."),
    ("HINFO", '"PC" "OS X"'),
    ("TXT", '"a b;c"'),
    ("TXT", 'a "" "q\\"uo\\\\te" \\000\\255'),
    ("TXT", '"' + "x" * 255 + '" y'),
    ("SRV", "0 5 5060 sip"),
    ("NAPTR", '100 50 "s" "z3950+I2L+I2C" "" _z3950._tcp.gatech.edu.'),
    ("NAPTR", '100 10 "U" "E2U+sip" "!^.*$!sip:info@example.com!" .'),
    ("DNAME", "target.example.org."),
    ("DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
    ("CDS", "0 0 0 00"),
    ("SSHFP", "2 1 123456789abcdef67890123456789abcdef67890"),
    ("TLSA", "3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971"),
    ("CAA", '0 issue "letsencrypt.org"'),
    ("CAA", '128 iodef "mailto:x@y.z"'),
    ("CAA", '0 issue ";"'),
    ("DNSKEY", "256 3 8 AQPSKmynfzW4kyBv015MUG2DeIQ3Cbl+BBZH4b/0PY1kxkmvHjcZc8no"),
    ("CDNSKEY", "0 3 0 AA=="),
    (
        "RRSIG",
        "A 5 3 86400 20300322173103 20300220173103 2642 example.com. oJB1W6WNGv+ldvQ3WDG0MQkg5IEhjRip",
    ),
    ("NSEC", "host.example.com. A MX RRSIG NSEC TYPE1234"),
    ("HTTPS", "1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1"),
    ("HTTPS", "0 foo.example.com."),
    ("HTTPS", "1 . alpn=h2 no-default-alpn"),
    ("SVCB", "1 foo.example.com. key667=hello"),
    ("SVCB", '1 foo.example.com. key667="hello\\210qoo"'),
    ("SVCB", '16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"'),
    ("SVCB", "16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2"),
    ("SVCB", "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1"),
    ("SVCB", '1 a. ipv6hint="2001:db8::1,2001:db8::53:1"'),
    ("SVCB", "1 doh.example. alpn=h2 dohpath=/dns-query{?dns}"),
    ("A", "\\# 4 0A000001"),
    ("TYPE65280", "\\# 4 0A00 0001"),
    ("TYPE65280", "\\# 0"),
]


def vector(kind, text):
    rdata = dns.rdata.from_text("IN", kind, text, origin=ORIGIN, relativize=False)
    return {"type": kind, "text": text, "hex": rdata.to_wire().hex()}


print("[")
print(",\n".join(json.dumps(vector(*record)) for record in RECORDS))
print("]")
