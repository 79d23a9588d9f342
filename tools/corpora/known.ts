/** Differences that are meant to be, each by what is said of it. */
const KNOWN: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [
    /we refuse: .* is outside of the zone$/,
    "what is outside of a zone is refused, and not left out with a warning",
  ],
  [
    /we refuse.*(?: is below the DNAME at |: NS beside DNAME)/,
    "names below an alias and a cut beside one are refused, as Knot does",
  ],
  [
    /we refuse: .*"(?:NXT|NSEC3|KEY|WKS|X25|HIP|NSAP|NSAP-PTR|BRID|NID|LOC|RT|CERT|EUI48|EUI64|NSEC3PARAM)" is not a type/,
    "types that only TYPE<number> writes (RFC 3597)",
  ],
  [/we refuse: .*\$DATE is not known/, "a directive of BIND"],
  [
    /BIND refuses: .*(?:has no address records|is a CNAME \(illegal\)|is below a DNAME)/,
    "name servers that do not resolve are for whoever runs the zone to know",
  ],
  [/BIND refuses: .*CDS\/CDNSKEY consistency/, "CDS is not compared with keys of others"],
  [/BIND refuses: .*at top of zone/, "DS at an apex is what a parent is not told by, and no harm"],
  [
    /BIND refuses: .*no TTL specified; using SOA MINTTL/,
    "a record before any TTL has that of its SOA's minimum, which BIND says here and does not load",
  ],
  [
    / NSEC: ours 0, theirs 0 aa/,
    "NSEC of a cut is answered by whoever has signed records; here they are made when asked for",
  ],
  [/ RRSIG: ours: /, "signatures have TTLs of what they sign; asked for alone they are one set"],
  [
    /masterfile\/ns1\/ttl1\.db c\.example\. TXT/,
    "a TTL that is left out is that of the record before (RFC 1035 §5.1), not of the SOA",
  ],
  [
    /TestLookupDoubleWildcard/,
    "the records that are expected are made by code that is not read here",
  ],
  [/TestLookupDNAMEDNSSEC/, "the test parses a zone as that of another name"],
  [/TestLookUpNoDataResult/, "the test does not look at the authority section"],
  [
    /ext-cname\.miek\.nl\. A: code 0 instead of 2/,
    "an alias of another zone is an answer (RFC 1034 §4.3.2), also where nobody is asked for more",
  ],
];

/** Why something differs and may; undefined: nobody knows. */
export function known(id: string, detail: string): string | undefined {
  return KNOWN.find(([pattern]) => pattern.test(`${id}: ${detail}`))?.[1];
}
