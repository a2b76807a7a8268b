//! Numbers and providers that a certificate may speak for: the TN authorization list (RFC 8226 §9).

use super::der::{self, IA5, INTEGER, Reader, SEQUENCE};

/// Object identifier 1.3.6.1.5.5.7.1.26 (id-pe-TNAuthList).
const OID: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1a];
/// Most entries that are read.
const MOST: usize = 10_000;

/// TN authorization list of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authority {
    /// Its entries, in their order; never empty where there is a list.
    pub entries: Vec<Entry>,
}

/// Entry of a TN authorization list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Service provider code: all numbers that are assigned to it.
    Provider(String),
    /// As many numbers as this, from the first on.
    Range(String, u64),
    /// One number.
    One(String),
}

impl Authority {
    /// The list of a certificate in DER. `None`: it has none. `Some(None)`: it has one that cannot be read.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Option<Option<Authority>> {
        der::extension(certificate, OID).map(Authority::parse)
    }

    /// Reads the content of the extension. `None`: it is malformed.
    #[must_use]
    pub fn parse(extension: &[u8]) -> Option<Authority> {
        let mut list = Reader::new(extension);
        let mut list_entries = Reader::new(list.expect(SEQUENCE)?);
        let mut entries = Vec::new();
        while !list_entries.is_empty() && entries.len() < MOST {
            let (tag, content) = list_entries.next()?;
            entries.push(entry(tag, Reader::new(content))?);
        }
        (!entries.is_empty() && list.is_empty()).then_some(Authority { entries })
    }

    /// True if it speaks for that number, in canonical form. A list of providers alone speaks for every number: who has been assigned
    /// which numbers, the certificate does not say.
    #[must_use]
    pub fn covers(&self, number: &str) -> bool {
        let is_provider = |entry: &Entry| matches!(entry, Entry::Provider(_));
        self.entries.iter().any(|entry| entry.covers(number)) || self.entries.iter().all(is_provider)
    }

    /// Service provider codes.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Provider(code) => Some(code.as_str()),
            Entry::Range(..) | Entry::One(_) => None,
        })
    }
}

impl Entry {
    fn covers(&self, number: &str) -> bool {
        match self {
            Entry::Provider(_) => false,
            Entry::One(one) => one == number,
            Entry::Range(start, count) => {
                let of = |text: &str| text.parse::<u64>().ok();
                let (Some(start_at), Some(at)) = (of(start), of(number)) else {
                    return false;
                };
                start.len() == number.len() && at.checked_sub(start_at).is_some_and(|n| n < *count)
            }
        }
    }
}

/// An entry; its tags are explicit.
fn entry(tag: u8, mut content: Reader<'_>) -> Option<Entry> {
    let entry = match tag {
        0xa0 => Entry::Provider(text(content.expect(IA5)?, |b| b.is_ascii_graphic())?),
        0xa1 => {
            let mut range = Reader::new(content.expect(SEQUENCE)?);
            let start = number(range.expect(IA5)?)?;
            let count = integer(range.expect(INTEGER)?)?;
            // The sequence is extensible: what follows is for others.
            Entry::Range(start, Some(count).filter(|count| *count >= 2)?)
        }
        0xa2 => Entry::One(number(content.expect(IA5)?)?),
        _ => return None,
    };
    content.is_empty().then_some(entry)
}

fn text(bytes: &[u8], allowed: impl Fn(&u8) -> bool) -> Option<String> {
    let is_plain = !bytes.is_empty() && bytes.len() <= 64 && bytes.iter().all(allowed);
    is_plain.then(|| String::from_utf8_lossy(bytes).into_owned())
}

fn number(bytes: &[u8]) -> Option<String> {
    text(bytes, |b| b.is_ascii_digit() || matches!(b, b'*' | b'#')).filter(|number| number.len() <= 15)
}

fn integer(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 8 || bytes[0] & 0x80 != 0 {
        return None;
    }
    Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&[u8]]) -> Vec<u8> {
        let content = entries.concat();
        let mut list = vec![0x30, u8::try_from(content.len()).unwrap()];
        list.extend(content);
        list
    }

    fn explicit(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn ia5(text: &str) -> Vec<u8> {
        explicit(0x16, text.as_bytes())
    }

    #[test]
    fn providers_ranges_and_numbers_are_read() {
        let range = [ia5("12155550100"), vec![0x02, 0x01, 0x64]].concat();
        let range = explicit(0xa1, &explicit(0x30, &range));
        let parsed = Authority::parse(&list(&[
            &explicit(0xa0, &ia5("1234")),
            &range,
            &explicit(0xa2, &ia5("12155559999")),
        ]))
        .unwrap();
        let expected = vec![
            Entry::Provider("1234".into()),
            Entry::Range("12155550100".into(), 100),
            Entry::One("12155559999".into()),
        ];
        assert_eq!(parsed.entries, expected);
        assert_eq!(parsed.providers().collect::<Vec<_>>(), ["1234"]);
        for (number, covered) in [
            ("12155550100", true),
            ("12155550199", true),
            ("12155550200", false),
            ("12155550099", false),
            ("2155550100", false),
            ("12155559999", true),
            ("", false),
        ] {
            assert_eq!(parsed.covers(number), covered, "{number}");
        }
    }

    #[test]
    fn a_provider_alone_speaks_for_every_number() {
        let parsed = Authority::parse(&list(&[&explicit(0xa0, &ia5("709J"))])).unwrap();
        assert!(parsed.covers("12155550100"));
    }

    #[test]
    fn a_malformed_list_is_none() {
        let good = list(&[&explicit(0xa0, &ia5("709J"))]);
        let long = [&good[..], &[0]].concat();
        let one = explicit(
            0xa1,
            &explicit(0x30, &[ia5("1"), vec![0x02, 0x01, 0x01]].concat()),
        );
        let cases: [&[u8]; 8] = [
            b"",
            &[0x30, 0x00],
            &good[..good.len() - 1],
            &long,
            &list(&[&explicit(0xa3, &ia5("1"))]),
            &list(&[&explicit(0xa2, &ia5("12a"))]),
            &list(&[&explicit(0xa2, &ia5("1234567890123456"))]),
            &list(&[&one]),
        ];
        for case in cases {
            assert_eq!(Authority::parse(case), None, "{case:02x?}");
        }
    }
}
