/** ISO 3166-1 alpha-2, and `XK`, which databases use for Kosovo. */
const ASSIGNED: ReadonlySet<string> = new Set(
  `AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
  BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG
  EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR
  HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR
  LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG
  NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE
  SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA
  UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW`.split(/\s+/),
);

/** What people write for a country that has another code: names of languages, domains, old codes. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ["UK", "GB"],
  ["EN", "GB"],
  ["EL", "GR"],
  ["JA", "JP"],
  ["KO", "KR"],
  ["DA", "DK"],
  ["CS", "CZ"],
  ["SU", "RU"],
]);

/** Why no address is in a country of this code, in capitals; nothing if one may be. */
export function unknownCountry(code: string): string | undefined {
  if (ASSIGNED.has(code)) return undefined;
  const meant = MEANT.get(code);
  return `ISO 3166-1 has no country ${code}${
    meant === undefined ? "" : `; did you mean ${meant}?`
  }`;
}
