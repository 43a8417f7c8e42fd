//! What several providers ask of an address alike: countries by their ISO 3166-1 codes, states and provinces by their ISO 3166-2 codes,
//! postal codes in the forms of the United States and Canada. Knows no provider, and guesses nothing.

use zeroize::Zeroizing;

use super::latin;

pub const UNITED_STATES: &str = "US";
pub const CANADA: &str = "CA";

/// The longest name of a state, in characters.
const STATE_CHARS_MAX: usize = 64;

/// A country's three digits of ISO 3166-1 by its two letters, which must be capitals; `None`: there is no such country.
pub fn country_number(alpha_2: &str) -> Option<&'static str> {
    COUNTRIES.iter().find(|(code, _)| *code == alpha_2).map(|(_, number)| *number)
}

/// A country's two letters in capitals; `None` for what is no country of ISO 3166-1.
pub fn country(text: &str) -> Option<&'static str> {
    COUNTRIES.iter().find(|(code, _)| code.eq_ignore_ascii_case(text.trim())).map(|(code, _)| *code)
}

/// Whether addresses of the country name their state or province by two letters.
pub fn has_states(country: &str) -> bool {
    states(country).is_some()
}

/// The two letters of a state of the United States or a province of Canada, given as `CA`, `US-CA` or `California`, in any case.
pub fn state(country: &str, text: &str) -> Option<&'static str> {
    let states = states(country)?;
    let text = latin::plain(text, " -", STATE_CHARS_MAX)?;
    let code =
        text.get(..2).filter(|head| head.eq_ignore_ascii_case(country)).and_then(|_| text[2..].strip_prefix('-'));
    let code = code.unwrap_or(&text).trim();
    let is_it = |(known, name): &&(&str, &str)| known.eq_ignore_ascii_case(code) || name.eq_ignore_ascii_case(&text);
    states.iter().find(is_it).map(|(known, _)| *known)
}

/// Whether a state's code is that of a territory of the United States, which has a country code of its own.
pub fn is_territory(country: &str, state: &str) -> bool {
    country == UNITED_STATES && TERRITORIES.contains(&state)
}

/// The five or nine digits of a ZIP code: `94107`, `94107-1234`, `94107 1234`.
pub fn zip(text: &str) -> Option<Zeroizing<String>> {
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    for c in text.trim().chars() {
        match c {
            '0'..='9' => digits.push(c),
            '-' | ' ' | '\u{2010}'..='\u{2015}' if digits.len() == 5 => {}
            _ => return None,
        }
    }
    matches!(digits.len(), 5 | 9).then_some(digits)
}

/// A postal code of Canada in the form `A1A 1A1`.
pub fn canadian(text: &str) -> Option<Zeroizing<String>> {
    let mut code = Zeroizing::new(String::with_capacity(text.len() + 1));
    for c in text.trim().chars().filter(|c| !matches!(c, ' ' | '-')) {
        let place = code.len() - usize::from(code.len() > 3);
        let fits = if place.is_multiple_of(2) { c.is_ascii_alphabetic() } else { c.is_ascii_digit() };
        if !fits || place == 6 {
            return None;
        }
        if place == 3 {
            code.push(' ');
        }
        code.push(c.to_ascii_uppercase());
    }
    (code.len() == 7).then_some(code)
}

fn states(country: &str) -> Option<&'static [(&'static str, &'static str)]> {
    match country {
        UNITED_STATES => Some(&STATES),
        CANADA => Some(&PROVINCES),
        _ => None,
    }
}

const TERRITORIES: [&str; 6] = ["AS", "GU", "MP", "PR", "UM", "VI"];

/// ISO 3166-2:US.
const STATES: [(&str, &str); 57] = [
    ("AK", "Alaska"),
    ("AL", "Alabama"),
    ("AR", "Arkansas"),
    ("AS", "American Samoa"),
    ("AZ", "Arizona"),
    ("CA", "California"),
    ("CO", "Colorado"),
    ("CT", "Connecticut"),
    ("DC", "District of Columbia"),
    ("DE", "Delaware"),
    ("FL", "Florida"),
    ("GA", "Georgia"),
    ("GU", "Guam"),
    ("HI", "Hawaii"),
    ("IA", "Iowa"),
    ("ID", "Idaho"),
    ("IL", "Illinois"),
    ("IN", "Indiana"),
    ("KS", "Kansas"),
    ("KY", "Kentucky"),
    ("LA", "Louisiana"),
    ("MA", "Massachusetts"),
    ("MD", "Maryland"),
    ("ME", "Maine"),
    ("MI", "Michigan"),
    ("MN", "Minnesota"),
    ("MO", "Missouri"),
    ("MP", "Northern Mariana Islands"),
    ("MS", "Mississippi"),
    ("MT", "Montana"),
    ("NC", "North Carolina"),
    ("ND", "North Dakota"),
    ("NE", "Nebraska"),
    ("NH", "New Hampshire"),
    ("NJ", "New Jersey"),
    ("NM", "New Mexico"),
    ("NV", "Nevada"),
    ("NY", "New York"),
    ("OH", "Ohio"),
    ("OK", "Oklahoma"),
    ("OR", "Oregon"),
    ("PA", "Pennsylvania"),
    ("PR", "Puerto Rico"),
    ("RI", "Rhode Island"),
    ("SC", "South Carolina"),
    ("SD", "South Dakota"),
    ("TN", "Tennessee"),
    ("TX", "Texas"),
    ("UM", "United States Minor Outlying Islands"),
    ("UT", "Utah"),
    ("VA", "Virginia"),
    ("VI", "Virgin Islands"),
    ("VT", "Vermont"),
    ("WA", "Washington"),
    ("WI", "Wisconsin"),
    ("WV", "West Virginia"),
    ("WY", "Wyoming"),
];

/// ISO 3166-2:CA.
const PROVINCES: [(&str, &str); 13] = [
    ("AB", "Alberta"),
    ("BC", "British Columbia"),
    ("MB", "Manitoba"),
    ("NB", "New Brunswick"),
    ("NL", "Newfoundland and Labrador"),
    ("NS", "Nova Scotia"),
    ("NT", "Northwest Territories"),
    ("NU", "Nunavut"),
    ("ON", "Ontario"),
    ("PE", "Prince Edward Island"),
    ("QC", "Quebec"),
    ("SK", "Saskatchewan"),
    ("YT", "Yukon"),
];

/// ISO 3166-1: two letters and three digits. Source: Debian's `iso-codes` 4.15 (2023-04).
#[rustfmt::skip]
const COUNTRIES: [(&str, &str); 249] = [
    ("AD", "020"), ("AE", "784"), ("AF", "004"), ("AG", "028"), ("AI", "660"), ("AL", "008"), ("AM", "051"), ("AO", "024"),
    ("AQ", "010"), ("AR", "032"), ("AS", "016"), ("AT", "040"), ("AU", "036"), ("AW", "533"), ("AX", "248"), ("AZ", "031"),
    ("BA", "070"), ("BB", "052"), ("BD", "050"), ("BE", "056"), ("BF", "854"), ("BG", "100"), ("BH", "048"), ("BI", "108"),
    ("BJ", "204"), ("BL", "652"), ("BM", "060"), ("BN", "096"), ("BO", "068"), ("BQ", "535"), ("BR", "076"), ("BS", "044"),
    ("BT", "064"), ("BV", "074"), ("BW", "072"), ("BY", "112"), ("BZ", "084"), ("CA", "124"), ("CC", "166"), ("CD", "180"),
    ("CF", "140"), ("CG", "178"), ("CH", "756"), ("CI", "384"), ("CK", "184"), ("CL", "152"), ("CM", "120"), ("CN", "156"),
    ("CO", "170"), ("CR", "188"), ("CU", "192"), ("CV", "132"), ("CW", "531"), ("CX", "162"), ("CY", "196"), ("CZ", "203"),
    ("DE", "276"), ("DJ", "262"), ("DK", "208"), ("DM", "212"), ("DO", "214"), ("DZ", "012"), ("EC", "218"), ("EE", "233"),
    ("EG", "818"), ("EH", "732"), ("ER", "232"), ("ES", "724"), ("ET", "231"), ("FI", "246"), ("FJ", "242"), ("FK", "238"),
    ("FM", "583"), ("FO", "234"), ("FR", "250"), ("GA", "266"), ("GB", "826"), ("GD", "308"), ("GE", "268"), ("GF", "254"),
    ("GG", "831"), ("GH", "288"), ("GI", "292"), ("GL", "304"), ("GM", "270"), ("GN", "324"), ("GP", "312"), ("GQ", "226"),
    ("GR", "300"), ("GS", "239"), ("GT", "320"), ("GU", "316"), ("GW", "624"), ("GY", "328"), ("HK", "344"), ("HM", "334"),
    ("HN", "340"), ("HR", "191"), ("HT", "332"), ("HU", "348"), ("ID", "360"), ("IE", "372"), ("IL", "376"), ("IM", "833"),
    ("IN", "356"), ("IO", "086"), ("IQ", "368"), ("IR", "364"), ("IS", "352"), ("IT", "380"), ("JE", "832"), ("JM", "388"),
    ("JO", "400"), ("JP", "392"), ("KE", "404"), ("KG", "417"), ("KH", "116"), ("KI", "296"), ("KM", "174"), ("KN", "659"),
    ("KP", "408"), ("KR", "410"), ("KW", "414"), ("KY", "136"), ("KZ", "398"), ("LA", "418"), ("LB", "422"), ("LC", "662"),
    ("LI", "438"), ("LK", "144"), ("LR", "430"), ("LS", "426"), ("LT", "440"), ("LU", "442"), ("LV", "428"), ("LY", "434"),
    ("MA", "504"), ("MC", "492"), ("MD", "498"), ("ME", "499"), ("MF", "663"), ("MG", "450"), ("MH", "584"), ("MK", "807"),
    ("ML", "466"), ("MM", "104"), ("MN", "496"), ("MO", "446"), ("MP", "580"), ("MQ", "474"), ("MR", "478"), ("MS", "500"),
    ("MT", "470"), ("MU", "480"), ("MV", "462"), ("MW", "454"), ("MX", "484"), ("MY", "458"), ("MZ", "508"), ("NA", "516"),
    ("NC", "540"), ("NE", "562"), ("NF", "574"), ("NG", "566"), ("NI", "558"), ("NL", "528"), ("NO", "578"), ("NP", "524"),
    ("NR", "520"), ("NU", "570"), ("NZ", "554"), ("OM", "512"), ("PA", "591"), ("PE", "604"), ("PF", "258"), ("PG", "598"),
    ("PH", "608"), ("PK", "586"), ("PL", "616"), ("PM", "666"), ("PN", "612"), ("PR", "630"), ("PS", "275"), ("PT", "620"),
    ("PW", "585"), ("PY", "600"), ("QA", "634"), ("RE", "638"), ("RO", "642"), ("RS", "688"), ("RU", "643"), ("RW", "646"),
    ("SA", "682"), ("SB", "090"), ("SC", "690"), ("SD", "729"), ("SE", "752"), ("SG", "702"), ("SH", "654"), ("SI", "705"),
    ("SJ", "744"), ("SK", "703"), ("SL", "694"), ("SM", "674"), ("SN", "686"), ("SO", "706"), ("SR", "740"), ("SS", "728"),
    ("ST", "678"), ("SV", "222"), ("SX", "534"), ("SY", "760"), ("SZ", "748"), ("TC", "796"), ("TD", "148"), ("TF", "260"),
    ("TG", "768"), ("TH", "764"), ("TJ", "762"), ("TK", "772"), ("TL", "626"), ("TM", "795"), ("TN", "788"), ("TO", "776"),
    ("TR", "792"), ("TT", "780"), ("TV", "798"), ("TW", "158"), ("TZ", "834"), ("UA", "804"), ("UG", "800"), ("UM", "581"),
    ("US", "840"), ("UY", "858"), ("UZ", "860"), ("VA", "336"), ("VC", "670"), ("VE", "862"), ("VG", "092"), ("VI", "850"),
    ("VN", "704"), ("VU", "548"), ("WF", "876"), ("WS", "882"), ("YE", "887"), ("YT", "175"), ("ZA", "710"), ("ZM", "894"),
    ("ZW", "716"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_have_two_letters_and_three_digits_each_their_own() {
        let (mut codes, mut numbers): (Vec<_>, Vec<_>) = COUNTRIES.into_iter().unzip();
        assert!(codes.is_sorted());
        codes.dedup();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!((codes.len(), numbers.len()), (COUNTRIES.len(), COUNTRIES.len()));
        assert!(numbers.iter().all(|number| number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit())));
        for (code, number) in [("US", "840"), ("CA", "124"), ("DE", "276"), ("GB", "826"), ("AF", "004")] {
            assert_eq!(country_number(code), Some(number));
        }
        for none in ["", "XX", "UK", "us", "USA", "840"] {
            assert_eq!(country_number(none), None, "{none}");
        }
        assert_eq!((country(" de"), country("Germany"), country("XK")), (Some("DE"), None, None));
    }

    #[test]
    fn states_go_by_their_codes_and_names() {
        for (country, text, code) in [
            ("US", "CA", "CA"),
            ("US", "us-ca", "CA"),
            ("US", " California ", "CA"),
            ("US", "NEW YORK", "NY"),
            ("CA", "Québec", "QC"),
            ("CA", "CA-ON", "ON"),
            ("US", "PR", "PR"),
        ] {
            assert_eq!(state(country, text), Some(code), "{country} {text}");
        }
        for (country, text) in
            [("US", "ON"), ("US", "Californa"), ("US", "CA-CA"), ("US", ""), ("DE", "BY"), ("US", "Калифорния")]
        {
            assert_eq!(state(country, text), None, "{country} {text}");
        }
        assert!(has_states("US") && has_states("CA") && !has_states("GB"));
        assert!(is_territory("US", "PR") && !is_territory("US", "CA") && !is_territory("CA", "PE"));
    }

    #[test]
    fn postal_codes_have_their_countries_forms() {
        for (text, expected) in
            [("94107", "94107"), (" 94107-1234", "941071234"), ("94107 1234", "941071234"), ("941071234", "941071234")]
        {
            assert_eq!(zip(text).as_deref().map(String::as_str), Some(expected), "{text}");
        }
        for none in ["", "9410", "94107-12", "9410-71234", "CA 94107", "94107-12345", "٩٤١٠٧"] {
            assert!(zip(none).is_none(), "{none}");
        }
        for text in ["M5V 3L9", "m5v3l9", "M5V-3L9", " M5V  3L9 "] {
            assert_eq!(canadian(text).as_deref().map(String::as_str), Some("M5V 3L9"), "{text}");
        }
        for none in ["", "M5V", "M5V 3L", "M5V 3LL", "M5V 3L99", "94107", "5MV 3L9"] {
            assert!(canadian(none).is_none(), "{none}");
        }
    }
}
