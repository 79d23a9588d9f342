"""Validates the answers of a signed zone: PORT ZONE DNSKEY NAME:TYPE..."""
import sys
import dns.dnssec, dns.edns, dns.message, dns.name, dns.query, dns.rdata, dns.rdataclass, dns.rdatatype, dns.rrset

port, zone, key = int(sys.argv[1]), dns.name.from_text(sys.argv[2]), sys.argv[3]
keys = {zone: dns.rrset.from_text(zone, 3600, "IN", "DNSKEY", key)}
for pair in sys.argv[4:]:
    name, kind = pair.split(":")
    query = dns.message.make_query(name, kind, want_dnssec=True, payload=4096)
    answer, _ = dns.query.udp_with_fallback(query, "127.0.0.1", port=port, timeout=20)
    sets = [s for s in answer.answer + answer.authority if s.rdtype != dns.rdatatype.RRSIG]
    signatures = [s for s in answer.answer + answer.authority if s.rdtype == dns.rdatatype.RRSIG]
    for own in sets:
        signed = [s for s in signatures if s.name == own.name and s.covers == own.rdtype]
        if own.rdtype == dns.rdatatype.NS and own.name != zone and not signed:
            continue  # A delegation is the child's.
        if own.rdtype == dns.rdatatype.CNAME and sets[0].rdtype == dns.rdatatype.DNAME and not signed:
            continue  # It says what the alias above it says (RFC 6672, section 5.3.1).
        dns.dnssec.validate(own, signed[0], keys)
    kinds = ",".join(dns.rdatatype.to_text(s.rdtype) for s in sets)
    print(pair, dns.rcode.to_text(answer.rcode()), kinds)
