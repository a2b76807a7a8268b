//! Signed callers (STIR/SHAKEN): what was signed is compared with the call, and the call waits for a certificate no longer than it may.

mod forgeries;
mod signer;
mod signing;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use sans_io::Time;
use session_core::stir::{
    Anchors, Attestation, FetchError, Fetched, Flaw, Kind, Numbers, Passport, StirSettings, Verdict,
    Verification, Verified,
};
use session_core::{Access, Event, Input, Numbering};
use sip_core::message::HeaderName;

use crate::carried::bench::{self, Bench, CARRIER, PHONE, sdp};
use signer::{Authority, Signer, VALID, claims, list, number};

const NOW: u64 = 1_790_000_000;
const CALLER: &str = "12155550100";
const CALLED: &str = "49301234";
const URL: &str = "https://cr.example/sp.pem";

/// A gateway whose carrier's calls are verified, an authority that it trusts, and a provider with a certificate.
struct Scene {
    bench: Bench,
    authority: Authority,
    signer: Signer,
}

impl Scene {
    fn new(verification: Verification) -> Scene {
        Scene::with(verification, Numbers::default(), |_| Vec::new())
    }

    fn with(
        verification: Verification,
        numbers: Numbers,
        revoked: impl Fn(&Authority) -> Vec<Vec<u8>>,
    ) -> Scene {
        let authority = Authority::new();
        let signer = authority.certify(1, Some(list("709J", Some((CALLER, 10)))), VALID, URL);
        let anchors =
            Anchors::new(std::slice::from_ref(&authority.der), &revoked(&authority)).expect("anchors");
        let mut config = bench::config();
        config.stir = StirSettings {
            anchors: Arc::new(anchors),
            numbers,
        };
        if let Access::Directory { trunks, .. } = &mut config.access {
            for trunk in trunks.values_mut() {
                trunk.verification = verification;
            }
        }
        let mut bench = Bench::with(config);
        bench.now = Time::from_secs(NOW);
        bench.register(PHONE, "");
        Scene {
            bench,
            authority,
            signer,
        }
    }

    /// The carrier calls from `CALLER` to `CALLED` with these fields more.
    fn call(&mut self, lines: &str) {
        self.call_from(&format!("+{CALLER}"), lines);
    }

    fn call_from(&mut self, caller: &str, lines: &str) {
        let lines = format!("From: <sip:{caller}@carrier.example>;tag=a\r\n{lines}");
        let uri = format!("sip:+{CALLED}@192.0.2.1");
        self.bench
            .request(CARRIER, "INVITE", &uri, &lines, &sdp(20, 5_000, 0));
    }

    /// Answers all requests for certificates with this one.
    fn deliver(&mut self, pem: &str) {
        let data = Bytes::copy_from_slice(pem.as_bytes());
        self.answer(Ok(Fetched {
            data,
            fresh_for: None,
        }));
    }

    fn answer(&mut self, answer: Result<Fetched, FetchError>) {
        for url in std::mem::take(&mut self.bench.fetches) {
            let answer = answer.clone();
            self.bench
                .act(|gateway, now| gateway.handle_input(now, Input::Fetched { url, answer }));
        }
    }

    /// Verdicts so far, in order.
    fn verdicts(&self) -> Vec<Verdict> {
        let of = |event: &Event| match event {
            Event::Verdict { verdict, .. } => Some(verdict.clone()),
            _ => None,
        };
        self.bench.events.iter().filter_map(of).collect()
    }

    /// The one verdict of a signed call, with the provider's certificate.
    fn verdict(&mut self, lines: &str) -> Verdict {
        self.bench.events.clear();
        self.call(lines);
        let pem = self.signer.pem.clone();
        self.deliver(&pem);
        let verdicts = self.verdicts();
        assert_eq!(verdicts.len(), 1, "{verdicts:?}");
        verdicts[0].clone()
    }

    fn good(&self) -> String {
        self.signer.sign(Kind::Shaken, &claims(CALLER, CALLED, NOW))
    }

    fn arrivals(&self) -> usize {
        let arrivals = self.bench.events.iter();
        arrivals
            .filter(|event| matches!(event, Event::Incoming { .. }))
            .count()
    }
}

/// Numbers as they are dialled in a country.
fn at(country: &str) -> Numbers {
    Numbers {
        at: Some(Arc::new(Numbering::new(country).expect("a country"))),
    }
}

fn identity(value: &str) -> String {
    format!("Identity: {value}\r\n")
}

fn verified(attestation: Option<Attestation>) -> Verdict {
    Verdict::Verified(Verified {
        attestation,
        origin: attestation.map(|_| "123e4567-e89b-12d3-a456-426655440000".to_owned()),
        signer: vec!["709J".into()],
        diverted: false,
    })
}

#[test]
fn the_example_of_rfc_8225_is_read_and_written() {
    let header = "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9";
    let payload = "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6IjEyMTU1NTUxMjEyIn19";
    let signature = "VLBCIVDCaeK6M4hLJb6SHQvacAQVvoiiEOWQ_iUkqk79UD81fHQ0E1b3_GluIkba7UWYRM47ZbNFdOJquE35cw";
    let value = format!("{header}.{payload}.{signature};info=<https://cert.example.org/passport.cer>");
    let passport = Passport::parse(&value, None).expect("a PASSporT");
    assert_eq!(passport.kind, Kind::Plain);
    assert_eq!(passport.claims.iat, 1_471_375_418);
    assert_eq!(passport.claims.orig.tn.as_deref(), Some("12155551212"));
    assert_eq!(passport.claims.dest.uri, ["sip:alice@example.com"]);
    // RFC 8225 §9: canonical form.
    let written = Passport::to_sign(passport.kind, &passport.url, &passport.claims);
    assert_eq!(written, format!("{header}.{payload}"));
    // RFC 8224 §4.1.1: the compact form leaves out what the request says.
    let compact = format!("..{signature};info=<https://cert.example.org/passport.cer>;alg=ES256");
    let again = Passport::parse(&compact, Some(&passport.claims)).expect("the compact form");
    assert_eq!(again, passport);
    assert!(Passport::parse(&compact, None).is_err());
}

/// The example of ES256 in RFC 7515 A.3.
#[test]
fn an_es256_signature_is_r_and_s_side_by_side() {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64");
    let x = decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    let y = decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], x, y].concat());
    let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature =
        decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    key.verify(signed.as_bytes(), &signature)
        .expect("the signature of the RFC");
}

#[test]
fn the_example_of_rfc_8588_is_read() {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = encode(
        r#"{"alg":"ES256","typ":"passport","ppt":"shaken","x5u":"https://cert.example.org/passport.cer"}"#,
    );
    let payload = encode(
        r#"{"attest":"A","dest":{"tn":["12155550131"]},"iat":1443208345,"orig":{"tn":"12155550121"},"origid":"123e4567-e89b-12d3-a456-426655440000"}"#,
    );
    let value = format!(
        "{header}.{payload}.{};info=<https://cert.example.org/passport.cer>;alg=ES256;ppt=shaken",
        URL_SAFE_NO_PAD.encode([0; 64])
    );
    let passport = Passport::parse(&value, None).expect("a PASSporT");
    assert_eq!(passport.kind, Kind::Shaken);
    assert_eq!(
        passport.claims,
        claims("12155550121", "12155550131", 1_443_208_345)
    );
}

#[test]
fn a_signed_call_is_verified_and_phones_are_told() {
    let mut scene = Scene::new(Verification::Show);
    for attestation in [Attestation::A, Attestation::B, Attestation::C] {
        let mut claims = claims(CALLER, CALLED, NOW);
        claims.attest = Some(attestation);
        let value = scene.signer.sign(Kind::Shaken, &claims);
        assert_eq!(scene.verdict(&identity(&value)), verified(Some(attestation)));
        let invite = scene.bench.invited(PHONE);
        assert_eq!(
            invite.header(HeaderName::PAssertedIdentity),
            Some(format!("<sip:+{CALLER};verstat=TN-Validation-Passed@192.0.2.1;user=phone>").as_str())
        );
    }
    let plain = scene.signer.sign(
        Kind::Plain,
        &session_core::stir::Claims {
            attest: None,
            origid: None,
            ..claims(CALLER, CALLED, NOW)
        },
    );
    assert_eq!(scene.verdict(&identity(&plain)), verified(None));
}

#[test]
fn an_unsigned_call_is_shown_as_such_and_a_trunk_that_is_not_verified_says_nothing() {
    let mut scene = Scene::new(Verification::Show);
    assert_eq!(scene.verdict(""), Verdict::Absent);
    let invite = scene.bench.invited(PHONE);
    assert!(
        invite
            .header(HeaderName::PAssertedIdentity)
            .is_some_and(|value| value.contains("No-TN-Validation"))
    );
    // A signature of a kind that we do not know says nothing (RFC 8224 §6.2 step 1).
    assert_eq!(
        scene.verdict("Identity: a.b.c;info=<https://x.example/>;ppt=\"rph\"\r\n"),
        Verdict::Absent
    );
    let mut scene = Scene::new(Verification::Off);
    let good = scene.good();
    scene.call(&identity(&good));
    assert_eq!((scene.verdicts(), scene.arrivals()), (Vec::new(), 1));
    assert!(scene.bench.fetches.is_empty());
    assert_eq!(
        scene.bench.invited(PHONE).header(HeaderName::PAssertedIdentity),
        None
    );
}

#[test]
fn of_several_signatures_the_good_one_counts() {
    let mut scene = Scene::new(Verification::Show);
    let (good, other) = (
        scene.good(),
        scene
            .signer
            .sign(Kind::Shaken, &claims("12155550199", CALLED, NOW)),
    );
    let lines = format!("{}{}Identity: x;ppt=rcd\r\n", identity(&other), identity(&good));
    assert_eq!(scene.verdict(&lines), verified(Some(Attestation::A)));
}

#[test]
fn a_private_caller_is_verified_by_what_the_trunk_asserts_and_stays_private() {
    let mut scene = Scene::new(Verification::Show);
    let good = scene.good();
    let lines = format!(
        "P-Asserted-Identity: <sip:+{CALLER}@c.example>\r\nPrivacy: id\r\n{}",
        identity(&good)
    );
    scene.call_from("anonymous", &lines);
    let pem = scene.signer.pem.clone();
    scene.deliver(&pem);
    assert_eq!(scene.verdicts(), [verified(Some(Attestation::A))]);
    assert_eq!(
        scene.bench.invited(PHONE).header(HeaderName::PAssertedIdentity),
        None
    );
}

#[test]
fn numbers_in_the_national_way_are_those_that_were_signed() {
    for (country, written) in [
        ("1", "2155550100"),
        ("1", "12155550100"),
        ("1", "+1 (215) 555-0100".trim_start_matches(' ')),
        ("44", "0012155550100"),
    ] {
        let numbers = at(country);
        assert_eq!(
            numbers.canonical(written).as_deref(),
            Some(CALLER),
            "{country} {written}"
        );
        let mut scene = Scene::with(Verification::Show, numbers, |_| Vec::new());
        let good = scene.good();
        scene.call_from(&written.replace([' ', '(', ')'], ""), &identity(&good));
        let pem = scene.signer.pem.clone();
        scene.deliver(&pem);
        assert_eq!(
            scene.verdicts(),
            [verified(Some(Attestation::A))],
            "{country} {written}"
        );
    }
    let german = at("49");
    assert_eq!(german.canonical("0301234").as_deref(), Some("49301234"));
    for none in ["", "+", "alice", "12345678901234567", "12;x=1"] {
        assert_eq!(german.canonical(none), None, "{none}");
    }
}

#[test]
fn a_diverted_call_is_verified_if_whoever_diverted_it_signed_that() {
    let mut scene = Scene::new(Verification::Show);
    let before = scene
        .signer
        .sign(Kind::Shaken, &claims(CALLER, "13035550100", NOW));
    let diverter = scene.authority.certify(2, Some(list("222X", None)), VALID, URL);
    scene.signer = Signer {
        pem: scene.signer.pem.clone(),
        ..diverter
    };
    let div = |from: &str, to: &str| session_core::stir::Claims {
        attest: None,
        origid: None,
        div: Some(number(from)),
        ..claims(CALLER, to, NOW)
    };
    assert_eq!(
        scene.verdict(&identity(&before)),
        Verdict::Failed(Flaw::Callee),
        "without a word of it"
    );
    // Signed by another key than that of the certificate at the address.
    let false_one = scene.signer.sign(Kind::Diverted, &div("13035550100", CALLED));
    let lines = format!("{}{}", identity(&before), identity(&false_one));
    assert_eq!(scene.verdict(&lines), Verdict::Failed(Flaw::Callee));
}

#[test]
fn a_chain_of_signed_diversions_leads_to_the_called_number() {
    let mut scene = Scene::new(Verification::Show);
    scene.signer = scene.authority.certify(1, Some(list("709J", None)), VALID, URL);
    let div = |from: &str, to: &str| session_core::stir::Claims {
        attest: None,
        origid: None,
        div: Some(number(from)),
        ..claims(CALLER, to, NOW)
    };
    let shaken = scene
        .signer
        .sign(Kind::Shaken, &claims(CALLER, "13035550100", NOW));
    let first = scene
        .signer
        .sign(Kind::Diverted, &div("13035550100", "13035550101"));
    let second = scene.signer.sign(Kind::Diverted, &div("13035550101", CALLED));
    let all = [&second, &shaken, &first].map(|value| identity(value)).concat();
    match scene.verdict(&all) {
        Verdict::Verified(verified) => {
            assert!(verified.diverted && verified.attestation == Some(Attestation::A))
        }
        other => panic!("{other:?}"),
    }
    // One of the chain is missing.
    let shaken = scene
        .signer
        .sign(Kind::Shaken, &claims(CALLER, "13035550100", NOW + 1));
    let gap = [&second, &shaken].map(|value| identity(value)).concat();
    assert_eq!(scene.verdict(&gap), Verdict::Failed(Flaw::Callee));
    // A diversion alone says nothing of who called.
    assert_eq!(scene.verdict(&identity(&second)), Verdict::Absent);
}

#[test]
fn a_verdict_with_a_certificate_at_hand_takes_no_time() {
    let mut scene = Scene::new(Verification::Show);
    let good = scene.good();
    assert_eq!(scene.verdict(&identity(&good)), verified(Some(Attestation::A)));
    let values: Vec<String> = (1..=50)
        .map(|n| scene.signer.sign(Kind::Shaken, &claims(CALLER, CALLED, NOW - n)))
        .collect();
    for value in &values {
        scene.bench.events.clear();
        scene.call(&identity(value));
        assert!(scene.bench.fetches.is_empty());
        assert_eq!(scene.verdicts(), [verified(Some(Attestation::A))]);
    }
    // An hour later it is fetched again.
    scene.bench.now += Duration::from_secs(3_600);
    let late = scene
        .signer
        .sign(Kind::Shaken, &claims(CALLER, CALLED, NOW + 3_600));
    scene.call(&identity(&late));
    assert_eq!(scene.bench.fetches.len(), 1);
}
