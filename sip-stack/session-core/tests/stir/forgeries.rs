//! Forgeries: each is a call with a signature that is not true of it, and none passes.

use session_core::stir::{Claims, Parties};

use super::*;

/// Makes the certificate of a forger, who has that authority.
type Certify = fn(&Scene, &Authority) -> Signer;
/// Makes the `Identity` header of a forgery.
type Forge = fn(&Scene) -> String;

fn shaken(scene: &Scene, change: impl FnOnce(&mut Claims)) -> String {
    let mut claims = claims(CALLER, CALLED, NOW);
    change(&mut claims);
    scene.signer.sign(Kind::Shaken, &claims)
}

/// A token with this header and payload in JSON, signed by the provider.
fn token(scene: &Scene, header: &str, payload: &str) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = URL_SAFE_NO_PAD.encode(scene.signer.signature(&signed));
    format!("{signed}.{signature};info=<{URL}>;alg=ES256;ppt=shaken")
}

fn payload() -> String {
    serde_json::to_string(&claims(CALLER, CALLED, NOW)).expect("JSON")
}

fn header(change: (&str, &str)) -> String {
    format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{URL}"}}"#)
        .replacen(change.0, change.1, 1)
}

/// A good header with one part of it replaced: 0 is the header of the token, 1 its payload, 2 its signature.
fn part(scene: &Scene, at: usize, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let good = scene.good();
    let (token, params) = good.split_once(';').expect("parameters");
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[at]).expect("base64");
    change(&mut bytes);
    parts[at] = URL_SAFE_NO_PAD.encode(bytes);
    format!("{};{params}", parts.join("."))
}

const FORGERIES: [(&str, Forge, Flaw); 38] = [
    (
        "another caller",
        |s| shaken(s, |c| c.orig = number("12155550101")),
        Flaw::Caller,
    ),
    (
        "the caller as a URI",
        |s| shaken(s, |c| c.orig = uri("sip:x@y.example")),
        Flaw::Malformed,
    ),
    (
        "caller by number and URI",
        |s| shaken(s, |c| c.orig.uri = Some("sip:a@b.example".into())),
        Flaw::Malformed,
    ),
    (
        "no caller",
        |s| shaken(s, |c| c.orig = session_core::stir::Party::default()),
        Flaw::Malformed,
    ),
    (
        "another called number",
        |s| shaken(s, |c| c.dest.tn = vec!["49305678".into()]),
        Flaw::Callee,
    ),
    (
        "a prefix of the called number",
        |s| shaken(s, |c| c.dest.tn = vec!["4930123".into()]),
        Flaw::Callee,
    ),
    (
        "nobody called",
        |s| shaken(s, |c| c.dest = Parties::default()),
        Flaw::Malformed,
    ),
    ("61 s old", |s| shaken(s, |c| c.iat = NOW - 61), Flaw::Stale),
    ("61 s ahead", |s| shaken(s, |c| c.iat = NOW + 61), Flaw::Stale),
    ("of 1970", |s| shaken(s, |c| c.iat = 0), Flaw::Stale),
    (
        "of the end of time",
        |s| shaken(s, |c| c.iat = u64::MAX),
        Flaw::Stale,
    ),
    (
        "no attestation",
        |s| shaken(s, |c| c.attest = None),
        Flaw::Malformed,
    ),
    ("no origin", |s| shaken(s, |c| c.origid = None), Flaw::Malformed),
    (
        "an attestation that is none",
        |s| token(s, &header(("", "")), &payload().replace("\"A\"", "\"D\"")),
        Flaw::Malformed,
    ),
    (
        "time as text",
        |s| {
            token(
                s,
                &header(("", "")),
                &payload().replace(&NOW.to_string(), "\"1790000000\""),
            )
        },
        Flaw::Malformed,
    ),
    (
        "a negative time",
        |s| token(s, &header(("", "")), &payload().replace(&NOW.to_string(), "-1")),
        Flaw::Malformed,
    ),
    (
        "called numbers as text",
        |s| {
            token(
                s,
                &header(("", "")),
                &payload().replace("[\"49301234\"]", "\"49301234\""),
            )
        },
        Flaw::Malformed,
    ),
    (
        "no JSON",
        |s| token(s, &header(("", "")), "attest=A"),
        Flaw::Malformed,
    ),
    (
        "no algorithm",
        |s| token(s, &header(("ES256", "none")), &payload()),
        Flaw::Algorithm,
    ),
    (
        "a shared secret",
        |s| token(s, &header(("ES256", "HS256")), &payload()),
        Flaw::Algorithm,
    ),
    (
        "another algorithm in the header field",
        |s| s.good().replace("alg=ES256", "alg=RS256"),
        Flaw::Algorithm,
    ),
    (
        "no PASSporT",
        |s| token(s, &header(("passport", "JWT")), &payload()),
        Flaw::Malformed,
    ),
    (
        "an extension that must be known",
        |s| token(s, &header(("{", r#"{"crit":["b64"],"#)), &payload()),
        Flaw::Malformed,
    ),
    (
        "an address without TLS",
        |s| token(s, &header(("https", "http")), &payload()),
        Flaw::Url,
    ),
    (
        "an address of a file",
        |s| token(s, &header((URL, "file:///etc/passwd")), &payload()),
        Flaw::Url,
    ),
    (
        "two addresses",
        |s| s.good().replace("info=<https://cr.", "info=<https://evil."),
        Flaw::Url,
    ),
    ("no address", |s| s.good().replace("info=", "x="), Flaw::Malformed),
    (
        "another kind in the header field",
        |s| s.good().replace("shaken", "div"),
        Flaw::Malformed,
    ),
    (
        "SHAKEN in compact form",
        |s| {
            format!(
                "..{};info=<{URL}>;ppt=shaken",
                s.good().split(['.', ';']).nth(2).expect("signature")
            )
        },
        Flaw::Malformed,
    ),
    (
        "a changed payload",
        |s| part(s, 1, |p| swap(p, b"\"A\"", b"\"B\"")),
        Flaw::Signature,
    ),
    (
        "a changed header",
        |s| part(s, 0, |p| swap(p, b"{\"alg\"", b"{ \"alg\"")),
        Flaw::Signature,
    ),
    (
        "a changed signature",
        |s| part(s, 2, |p| p[63] ^= 1),
        Flaw::Signature,
    ),
    (
        "a signature of zeros",
        |s| part(s, 2, |p| p.fill(0)),
        Flaw::Signature,
    ),
    (
        "a short signature",
        |s| part(s, 2, |p| p.truncate(63)),
        Flaw::Malformed,
    ),
    ("a long signature", |s| part(s, 2, |p| p.push(0)), Flaw::Malformed),
    (
        "a signature in DER",
        |s| part(s, 2, |p| p.splice(0..0, [0x30, 0x44]).for_each(drop)),
        Flaw::Malformed,
    ),
    ("nothing", |_| String::new(), Flaw::Malformed),
    (
        "a number outside of the certificate's",
        |s| s.good(),
        Flaw::Number,
    ),
];

fn uri(uri: &str) -> session_core::stir::Party {
    session_core::stir::Party {
        tn: None,
        uri: Some(uri.into()),
    }
}

fn swap(bytes: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let at = bytes
        .windows(from.len())
        .position(|part| part == from)
        .expect("there");
    bytes.splice(at..at + from.len(), to.iter().copied());
}

#[test]
fn no_forgery_passes() {
    for (name, forge, flaw) in FORGERIES {
        let mut scene = Scene::new(Verification::Show);
        if flaw == Flaw::Number {
            scene.signer =
                scene
                    .authority
                    .certify(1, Some(list("709J", Some(("12155550101", 9)))), VALID, URL);
        }
        let value = forge(&scene);
        let lines = identity(&value);
        let verdict = scene.verdict(&lines);
        assert_eq!(verdict, Verdict::Failed(flaw), "{name}: {value}");
        let invite = scene.bench.invited(PHONE);
        assert!(
            invite
                .header(HeaderName::PAssertedIdentity)
                .is_some_and(|value| value.contains("TN-Validation-Failed")),
            "{name}"
        );
        // What can be told without its certificate costs no fetch.
        if matches!(
            flaw,
            Flaw::Malformed | Flaw::Caller | Flaw::Stale | Flaw::Url | Flaw::Algorithm
        ) {
            assert_eq!(scene.bench.fetches.len(), 0, "{name}");
        }
    }
}

#[test]
fn certificates_that_nobody_trusts_do_not_pass() {
    let stranger = Authority::new();
    let cases: [(&str, Certify, Flaw); 5] = [
        (
            "another authority",
            |_, stranger| stranger.certify(1, None, VALID, URL),
            Flaw::Untrusted,
        ),
        (
            "expired",
            |s, _| s.authority.certify(1, None, (2020, 2022), URL),
            Flaw::Expired,
        ),
        (
            "not valid yet",
            |s, _| s.authority.certify(1, None, (2039, 2040), URL),
            Flaw::Expired,
        ),
        (
            "a list that cannot be read",
            |s, _| s.authority.certify(1, Some(vec![0x30, 0x01, 0x00]), VALID, URL),
            Flaw::Untrusted,
        ),
        (
            "an empty list",
            |s, _| s.authority.certify(1, Some(vec![0x30, 0x00]), VALID, URL),
            Flaw::Untrusted,
        ),
    ];
    for (name, certify, flaw) in cases {
        let mut scene = Scene::new(Verification::Show);
        scene.signer = certify(&scene, &stranger);
        let good = scene.good();
        assert_eq!(scene.verdict(&identity(&good)), Verdict::Failed(flaw), "{name}");
    }
    let mut scene = Scene::new(Verification::Show);
    let good = scene.good();
    scene.signer.pem = scene.authority.certify(2, None, VALID, URL).pem;
    assert_eq!(
        scene.verdict(&identity(&good)),
        Verdict::Failed(Flaw::Signature),
        "another key"
    );
}

#[test]
fn a_revoked_certificate_does_not_pass() {
    let mut scene = Scene::with(Verification::Show, Numbers::default(), |authority| {
        vec![authority.revoke(1)]
    });
    let good = scene.good();
    assert_eq!(scene.verdict(&identity(&good)), Verdict::Failed(Flaw::Revoked));
    scene.signer = scene
        .authority
        .certify(2, None, VALID, "https://cr.example/other.pem");
    let good = scene.good();
    assert!(matches!(scene.verdict(&identity(&good)), Verdict::Verified(_)));
}

#[test]
fn a_signature_serves_one_call() {
    let mut scene = Scene::new(Verification::Show);
    let good = scene.good();
    assert_eq!(scene.verdict(&identity(&good)), verified(Some(Attestation::A)));
    assert_eq!(scene.verdict(&identity(&good)), Verdict::Failed(Flaw::Replayed));
    // Another signature of the same text is no other text.
    let again = scene.signer.sign(Kind::Shaken, &claims(CALLER, CALLED, NOW));
    assert_ne!(good, again);
    assert_eq!(scene.verdict(&identity(&again)), Verdict::Failed(Flaw::Replayed));
}
