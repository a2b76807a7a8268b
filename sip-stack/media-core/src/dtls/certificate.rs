//! The one thing we need from a peer's certificate besides its hash: the key it is about (RFC 5280 §4.1). Nothing else in
//! it means anything, for it is signed by itself and believed through SDP (RFC 8122).

use dimpl::crypto::NamedGroup;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;

const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// The curve and the uncompressed point of an ECDSA certificate (DER); `None` for a broken one or another kind of key.
pub(super) fn public_key(certificate: &[u8]) -> Option<(NamedGroup, &[u8])> {
    let (certificate, _) = read(certificate, SEQUENCE)?;
    let (mut rest, _) = read(certificate, SEQUENCE)?;
    if rest.first() == Some(&EXPLICIT_0) {
        rest = read(rest, EXPLICIT_0)?.1; // version
    }
    rest = read(rest, INTEGER)?.1; // serial number
    for _ in 0..4 {
        rest = read(rest, SEQUENCE)?.1; // signature algorithm, issuer, validity, subject
    }
    let (info, _) = read(rest, SEQUENCE)?;
    let (algorithm, key) = read(info, SEQUENCE)?;
    let (kind, curve) = read(algorithm, OBJECT_IDENTIFIER)?;
    let (curve, _) = read(curve, OBJECT_IDENTIFIER)?;
    let (key, _) = read(key, BIT_STRING)?;
    let point = key.strip_prefix(&[0])?; // no unused bits
    match (kind, curve) {
        (EC_PUBLIC_KEY, P256) => Some((NamedGroup::Secp256r1, point)),
        (EC_PUBLIC_KEY, P384) => Some((NamedGroup::Secp384r1, point)),
        _ => None,
    }
}

/// The contents of the value that `der` begins with, if it is tagged so, and what follows it.
fn read(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (
                octets
                    .iter()
                    .fold(0, |length, &octet| length << 8 | usize::from(octet)),
                rest,
            )
        }
        _ => return None,
    };
    if found != tag {
        None
    } else {
        rest.split_at_checked(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> (Vec<u8>, Vec<u8>) {
        let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
        let params = rcgen::CertificateParams::new(vec!["name".to_string()]).expect("parameters");
        let certificate = params.self_signed(&key).expect("a certificate");
        (certificate.der().to_vec(), key.public_key_raw().to_vec())
    }

    #[test]
    fn finds_the_key() {
        for (algorithm, curve) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, NamedGroup::Secp256r1),
            (&rcgen::PKCS_ECDSA_P384_SHA384, NamedGroup::Secp384r1),
        ] {
            let (der, key) = certificate(algorithm);
            assert_eq!(public_key(&der), Some((curve, &key[..])));
            for length in 0..der.len() {
                let found = public_key(&der[..length]);
                assert!(found.is_none(), "cut after {length}");
            }
        }
        assert_eq!(public_key(&certificate(&rcgen::PKCS_ED25519).0), None);
    }
}
