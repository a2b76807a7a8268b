//! `Identity` headers and the PASSporTs in them, and the lists of numbers in certificates.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use session_core::Numbering;
use session_core::stir::{
    Attestation, Authority, CertificateUrl, Claims, Kind, Numbers, Parties, Party, Passport,
};

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "passport",
    seeds,
    words: &[
        ".",
        "..",
        ";info=<https://cr.example/a.pem>",
        ";info=",
        ";alg=ES256",
        ";ppt=shaken",
        ";ppt=\"div\"",
        "eyJ",
        "{\"",
        "\"}",
        "\"attest\":\"A\",",
        "\"dest\":{\"tn\":[\"",
        "\"iat\":",
        "\"orig\":{\"tn\":\"",
        "\"origid\":\"",
        "\"crit\":[",
        "\u{a0}\u{6}\u{16}\u{4}",
        "\u{a1}",
        "\u{a2}",
        "0\u{81}",
        "+",
        "00",
    ],
    run,
};

fn claims() -> Claims {
    let tn = |number: &str| Party {
        tn: Some(number.into()),
        uri: None,
    };
    Claims {
        attest: Some(Attestation::A),
        dest: Parties {
            tn: vec!["49301234".into()],
            uri: Vec::new(),
        },
        div: Some(tn("13035550100")),
        iat: 1_443_208_345,
        orig: tn("12155550100"),
        origid: Some("123e4567-e89b-12d3-a456-426655440000".into()),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let url = CertificateUrl::parse("https://cert.example.org/passport.cer").expect("address");
    let header = |kind| {
        let passport = Passport {
            kind,
            url: url.clone(),
            claims: claims(),
            signed: Passport::to_sign(kind, &url, &claims()),
            signature: vec![7; 64],
        };
        passport.header().into_bytes()
    };
    let compact = format!(
        "..{};info=<{}>;alg=ES256",
        URL_SAFE_NO_PAD.encode([7; 64]),
        url.as_str()
    );
    let list =
        b"\x30\x25\xa0\x06\x16\x04709J\xa1\x12\x30\x10\x16\x0b12155550100\x02\x01\x0a\xa2\x07\x16\x0512345";
    vec![
        header(Kind::Plain),
        header(Kind::Shaken),
        header(Kind::Diverted),
        compact.into_bytes(),
        list.to_vec(),
        b"+49 (30) 12-34".to_vec(),
    ]
}

/// A header that is read is written so that it reads back as the same; a list is read or not; a number in canonical form stays as it is.
pub fn run(input: &[u8]) {
    if let Some(list) = Authority::parse(input) {
        assert!(!list.entries.is_empty());
        let _ = list.covers("12155550100");
    }
    // A certificate whose extensions are anything at all.
    let _ = Authority::of(input);
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    for country in [None, Some("1"), Some("49")] {
        let at = country.map(|country| Arc::new(Numbering::new(country).expect("a country")));
        if let Some(number) = (Numbers { at }).canonical(text) {
            assert!(number.len() <= 15);
            assert_eq!(Numbers::default().canonical(&number).as_ref(), Some(&number));
        }
    }
    if let Ok(url) = CertificateUrl::parse(text) {
        assert!(!url.host().is_empty() && url.port() != 0 && url.path().starts_with('/'));
        assert!(url.path().bytes().all(|b| b.is_ascii_graphic()));
    }
    for implied in [None, Some(claims())] {
        let Ok(passport) = Passport::parse(text, implied.as_ref()) else {
            continue;
        };
        assert_eq!(passport.signature.len(), 64);
        assert_eq!(Passport::parse(&passport.header(), None).as_ref(), Ok(&passport));
    }
}
