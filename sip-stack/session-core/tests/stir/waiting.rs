//! Calls that wait for a certificate, and refusals where a good signature is required.

use session_core::stir::Hindrance;
use sip_core::message::StatusCode;

use super::*;

#[test]
fn a_call_waits_200_ms_for_a_certificate_and_goes_on_without_and_the_verdict_follows() {
    let mut scene = Scene::new(Verification::Show);
    let good = scene.good();
    scene.call(&identity(&good));
    assert_eq!(scene.bench.fetches.len(), 1);
    scene.bench.now += Duration::from_millis(199);
    scene
        .bench
        .act(|gateway, now| gateway.handle_input(now, Input::Timeout));
    assert_eq!((scene.arrivals(), scene.verdicts().len()), (0, 0));
    scene.bench.now += Duration::from_millis(1);
    scene
        .bench
        .act(|gateway, now| gateway.handle_input(now, Input::Timeout));
    assert_eq!(scene.arrivals(), 1);
    assert_eq!(scene.verdicts(), [Verdict::Unavailable(Hindrance::Slow)]);
    // It rings, and the verdict comes.
    scene.bench.invited(PHONE);
    let pem = scene.signer.pem.clone();
    scene.deliver(&pem);
    assert_eq!(scene.verdicts()[1..], [verified(Some(Attestation::A))]);
    assert_eq!(scene.arrivals(), 1);
    // Nothing more comes of it.
    scene.bench.wait(5);
    assert_eq!(scene.verdicts().len(), 2);
}

#[test]
fn a_certificate_that_comes_in_time_lets_the_call_go_on_at_once() {
    let mut scene = Scene::new(Verification::Show);
    let good = scene.good();
    scene.call(&identity(&good));
    assert_eq!(scene.arrivals(), 0);
    let pem = scene.signer.pem.clone();
    scene.deliver(&pem);
    assert_eq!((scene.arrivals(), scene.verdicts().len()), (1, 1));
    scene.bench.wait(5);
    assert_eq!((scene.arrivals(), scene.verdicts().len()), (1, 1));
}

#[test]
fn calls_that_wait_for_the_same_certificate_fetch_it_once_and_one_that_fails_is_not_asked_for_again_soon() {
    let mut scene = Scene::new(Verification::Show);
    for n in 0..3 {
        let value = scene.signer.sign(Kind::Shaken, &claims(CALLER, CALLED, NOW - n));
        scene.call(&identity(&value));
    }
    assert_eq!(scene.bench.fetches.len(), 1);
    scene.answer(Err(FetchError::Failed));
    assert_eq!(scene.arrivals(), 3);
    assert_eq!(
        scene.verdicts(),
        vec![Verdict::Unavailable(Hindrance::Unreachable); 3]
    );
    scene.bench.events.clear();
    let good = scene.signer.sign(Kind::Shaken, &claims(CALLER, CALLED, NOW + 1));
    scene.call(&identity(&good));
    assert_eq!((scene.arrivals(), scene.bench.fetches.len()), (1, 0));
    assert_eq!(scene.verdicts(), [Verdict::Unavailable(Hindrance::Unreachable)]);
    scene.bench.now += Duration::from_secs(30);
    let good = scene.signer.sign(Kind::Shaken, &claims(CALLER, CALLED, NOW + 30));
    scene.call(&identity(&good));
    assert_eq!(scene.bench.fetches.len(), 1);
    // What is there is no certificate.
    scene.bench.events.clear();
    scene.deliver("<html>");
    assert_eq!(
        scene.verdicts(),
        [Verdict::Unavailable(Hindrance::NotCertificate)]
    );
}

#[test]
fn no_more_than_so_many_certificates_are_fetched_at_a_time() {
    let mut scene = Scene::new(Verification::Show);
    for n in 0..40 {
        let signer = scene
            .authority
            .certify(n, None, VALID, &format!("https://cr{n}.example/"));
        let value = signer.sign(Kind::Shaken, &claims(CALLER, CALLED, NOW));
        scene.call(&identity(&value));
    }
    assert_eq!(scene.bench.fetches.len(), 32);
    assert_eq!(scene.verdicts(), vec![Verdict::Unavailable(Hindrance::Busy); 8]);
}

#[test]
fn without_an_authority_nothing_is_fetched() {
    let mut scene = Scene::new(Verification::Show);
    let mut config = bench::config();
    if let Access::Directory { trunks, .. } = &mut config.access {
        trunks
            .values_mut()
            .for_each(|trunk| trunk.verification = Verification::Show);
    }
    scene.bench = Bench::with(config);
    scene.bench.now = Time::from_secs(NOW);
    let good = scene.good();
    scene.call(&identity(&good));
    assert_eq!(scene.verdicts(), [Verdict::Unavailable(Hindrance::NoAuthorities)]);
    assert!(scene.bench.fetches.is_empty());
}

#[test]
fn a_caller_who_gives_up_meanwhile_is_not_reported_and_leaves_nothing() {
    let mut scene = Scene::new(Verification::Show);
    let good = scene.good();
    let uri = format!("sip:+{CALLED}@192.0.2.1");
    let lines = format!(
        "From: <sip:+{CALLER}@carrier.example>;tag=a\r\n{}",
        identity(&good)
    );
    let text = scene
        .bench
        .request(CARRIER, "INVITE", &uri, &lines, &sdp(20, 5_000, 0));
    let head = text.split("Contact:").next().unwrap_or_default();
    let cancel = head
        .replacen("INVITE", "CANCEL", 1)
        .replace("1 INVITE", "1 CANCEL");
    scene.bench.receive(
        CARRIER,
        format!("{cancel}From: <sip:+{CALLER}@carrier.example>;tag=a\r\nContent-Length: 0\r\n\r\n"),
    );
    let pem = scene.signer.pem.clone();
    scene.deliver(&pem);
    scene.bench.wait(5);
    assert_eq!((scene.arrivals(), scene.verdicts().len()), (0, 0));
    assert_eq!(scene.bench.act(|gateway, _| gateway.stats()).sessions, 0);
}

#[test]
fn where_a_signature_is_required_a_call_without_a_good_one_is_refused_with_the_code_of_rfc_8224() {
    let other = || Authority::new().certify(9, None, VALID, URL);
    for (lines, pem, code) in [
        (String::new(), None, StatusCode::USE_IDENTITY_HEADER),
        (
            "Identity: nonsense\r\n".into(),
            None,
            StatusCode::INVALID_IDENTITY_HEADER,
        ),
        (
            identity(&other().sign(Kind::Shaken, &claims(CALLER, CALLED, NOW - 61))),
            None,
            StatusCode::FORBIDDEN,
        ),
        (
            identity(&other().sign(Kind::Shaken, &claims(CALLER, CALLED, NOW))),
            Some("no certificate".to_owned()),
            StatusCode::BAD_IDENTITY_INFO,
        ),
        {
            let other = other();
            (
                identity(&other.sign(Kind::Shaken, &claims(CALLER, CALLED, NOW))),
                Some(other.pem.clone()),
                StatusCode::UNSUPPORTED_CREDENTIAL,
            )
        },
    ] {
        let mut scene = Scene::new(Verification::Required);
        scene.call(&lines);
        if let Some(pem) = pem {
            scene.deliver(&pem);
        }
        assert_eq!(scene.bench.statuses(), [code], "{lines}");
        assert_eq!((scene.arrivals(), scene.verdicts().len()), (0, 1));
    }
}

#[test]
fn where_a_signature_is_required_a_call_waits_as_long_as_the_certificate_may_take() {
    let mut scene = Scene::new(Verification::Required);
    let good = scene.good();
    scene.call(&identity(&good));
    scene.bench.wait(2);
    assert_eq!((scene.arrivals(), scene.bench.statuses()), (0, Vec::new()));
    let pem = scene.signer.pem.clone();
    scene.deliver(&pem);
    assert_eq!(
        (scene.arrivals(), scene.verdicts()),
        (1, vec![verified(Some(Attestation::A))])
    );
    let late = scene.authority.certify(3, None, VALID, "https://slow.example/");
    let late = late.sign(Kind::Shaken, &claims(CALLER, CALLED, NOW + 2));
    scene.bench.fetches.clear();
    scene.call(&identity(&late));
    scene.bench.wait(3);
    assert_eq!(
        scene.bench.statuses().last(),
        Some(&StatusCode::BAD_IDENTITY_INFO)
    );
    assert_eq!(scene.arrivals(), 1);
}
