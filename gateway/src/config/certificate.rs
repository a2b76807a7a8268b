//! Expiry of certificates (RFC 5280 §4.1.2.5).

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// Tag of the version, which is optional.
const VERSION: u8 = 0xa0;

/// End of the validity of the first certificate in a PEM chain; `None` if it cannot be read.
pub(super) fn expiry(chain: &[u8]) -> Option<Timestamp> {
    let leaf = CertificateDer::pem_slice_iter(chain).next()?.ok()?;
    let (_, certificate, _) = element(&leaf)?;
    let (_, mut rest, _) = element(certificate)?;
    if rest.first() == Some(&VERSION) {
        (_, _, rest) = element(rest)?;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        (_, _, rest) = element(rest)?;
    }
    let (SEQUENCE, validity, _) = element(rest)? else {
        return None;
    };
    let (_, _, after) = element(validity)?;
    let (tag, text, _) = element(after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// First element of some DER: tag, content, and the rest.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let bytes = usize::from(first & 0x7f);
        let (length, rest) = rest
            .split_at_checked(bytes)
            .filter(|_| (1..=4).contains(&bytes))?;
        let length = length
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z')?;
    let number = |digits: &str| digits.parse::<i16>().ok();
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year)?;
            // RFC 5280 §4.1.2.5.1
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| i8::try_from(number(rest.get(at..at + 2)?)?).ok();
    let (month, day) = (part(0)?, part(2)?);
    let (hour, minute, second) = (part(4)?, part(6)?, part(8)?);
    let valid = (1..=12).contains(&month) && (1..=28).contains(&day.min(28)) && day <= 31;
    let valid = valid && (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    if !valid {
        return None;
    }
    // A day that the month does not have is taken as the first of the month, which is early enough.
    let last = date(year, month, 1).days_in_month();
    let moment = date(year, month, day.min(last)).at(hour, minute, second, 0);
    TimeZone::UTC.to_timestamp(moment).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Expires at 2026-12-29 14:50:43 UTC.
    pub(in super::super) const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBfjCCASOgAwIBAgIUfn0tqlFO130UDdOxMiF3C+OmpngwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMB4XDTI2MTEyOTE0NTA0M1oXDTI2MTIyOTE0
NTA0M1owFDESMBAGA1UEAwwJMTI3LjAuMC4xMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEd6A430rsT7oSIy1zX44oq9nSKVbudbnyeX10I4w8X8VBkQfJ6hFw8oSA
+oDhbX7c02VWfYtoocOBKzUJiujRGKNTMFEwHQYDVR0OBBYEFAzM96wzBSh4cwLD
jKtFuQPBVWMSMB8GA1UdIwQYMBaAFAzM96wzBSh4cwLDjKtFuQPBVWMSMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAK3MK+GuKYmyG2euZSQ9RhxC
PSOKWuJujHHC0QCyaDOaAiEAzx6Rz8SFV++LVV3U2/z+QkQeMvIVtMkQ1klBLAMa
WvY=
-----END CERTIFICATE-----
";

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let expires = expiry(CERTIFICATE.as_bytes()).expect("a certificate");
        assert_eq!(expires.to_string(), "2026-12-29T14:50:43Z");
        assert_eq!(expiry(b"no certificate"), None);
    }

    #[test]
    fn both_kinds_of_time_are_read_and_nonsense_is_none() {
        let read = |tag, text| time(tag, text).map(|time| time.to_string());
        assert_eq!(
            read(UTC_TIME, "491231235959Z").as_deref(),
            Some("2049-12-31T23:59:59Z")
        );
        assert_eq!(
            read(UTC_TIME, "500101000000Z").as_deref(),
            Some("1950-01-01T00:00:00Z")
        );
        assert_eq!(
            read(GENERALIZED_TIME, "20500229000000Z").as_deref(),
            Some("2050-02-28T00:00:00Z")
        );
        for (tag, text) in [
            (UTC_TIME, "4912312359"),
            (UTC_TIME, "491331235959Z"),
            (UTC_TIME, "xx1231235959Z"),
            (GENERALIZED_TIME, "2050Z"),
            (2, "491231235959Z"),
        ] {
            assert_eq!(read(tag, text), None, "{text}");
        }
    }
}
