//! DER (ITU-T X.690), as much of it as a certificate's extensions need: elements with definite lengths.

/// Universal tags, and the constructed ones of certificates.
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const IA5: u8 = 0x16;

/// Reader of the elements that follow one another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element: its tag and its content. `None` if there is none, or it is malformed.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        // Tags above 30 take several octets, and appear in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81 => (rest.first().copied().filter(|n| *n > 0x7f)?.into(), &rest[1..]),
            0x82 => {
                let (high, low) = (*rest.first()?, *rest.get(1)?);
                let length = usize::from(u16::from_be_bytes([high, low]));
                (Some(length).filter(|n| *n > 0xff)?, &rest[2..])
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The next element, if it has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    /// The next element, if it has this tag; else nothing is taken.
    pub(super) fn skip(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }
}

/// Content of an extension of a certificate, by the DER of its object identifier.
pub(super) fn extension<'a>(certificate: &'a [u8], oid: &[u8]) -> Option<&'a [u8]> {
    let mut tbs = Reader::new(Reader::new(Reader::new(certificate).expect(SEQUENCE)?).expect(SEQUENCE)?);
    // RFC 5280 §4.1: version, serial number, algorithm, issuer, validity, subject and key come before.
    tbs.skip(0xa0);
    for _ in 0..6 {
        tbs.next()?;
    }
    tbs.skip(0xa1);
    tbs.skip(0xa2);
    let mut extensions = Reader::new(Reader::new(tbs.expect(0xa3)?).expect(SEQUENCE)?);
    while let Some(extension) = extensions.expect(SEQUENCE) {
        let mut extension = Reader::new(extension);
        let is_it = extension.expect(OBJECT)? == oid;
        extension.skip(BOOLEAN);
        let content = extension.expect(OCTETS)?;
        if is_it {
            return Some(content);
        }
    }
    None
}
