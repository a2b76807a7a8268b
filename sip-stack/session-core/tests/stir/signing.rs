//! Calls to a trunk are signed, and what one gateway signs another one verifies.

use session_core::identity::AssertedIn;
use session_core::stir::{NumberPattern, Signing};
use session_core::{CallRate, CallerId, TrunkAddress};
use sip_core::message::Message;

use super::*;

/// A gateway whose calls to its carrier are signed by the provider of a scene. The numbers that begin with `+4930` are its own.
fn signing(scene: &Scene, change: impl FnOnce(&mut session_core::Trunk)) -> Bench {
    let key = Arc::clone(&scene.signer.key);
    let mut config = bench::config();
    config.stir.numbers = at("49");
    if let Access::Directory { trunks, .. } = &mut config.access {
        for trunk in trunks.values_mut() {
            let key = std::sync::Arc::clone(&key);
            let sign = move |text: &[u8]| Some(signer::sign(&key, text));
            trunk.signing = Some(Signing {
                url: scene.signer.url.clone(),
                signer: session_core::stir::Signer::new(b"key", sign),
                numbers: vec![NumberPattern::parse("+4930*").expect("pattern")],
            });
        }
        change(trunks.get_mut("carrier").expect("the carrier"));
    }
    let mut bench = Bench::with(config);
    bench.now = Time::from_secs(NOW);
    bench.register(PHONE, "");
    bench
}

fn call_out(bench: &mut Bench, number: &str) -> Message {
    bench.authenticated(
        PHONE,
        "INVITE",
        &format!("sip:{number}@192.0.2.1"),
        "",
        &sdp(11, 4_000, 0),
    );
    bench.invited(CARRIER)
}

fn passport(invite: &Message) -> Option<Passport> {
    invite
        .header(HeaderName::Identity)
        .map(|value| Passport::parse(value, None).expect("a PASSporT"))
}

#[test]
fn what_a_gateway_signs_another_one_verifies() {
    let mut scene = Scene::new(Verification::Show);
    scene.signer = scene.authority.certify(7, Some(list("709J", None)), VALID, URL);
    let mut one = signing(&scene, |trunk| {
        trunk.caller_id = CallerId::Fixed("+49305555".into())
    });
    let invite = call_out(&mut one, "+49401234");
    assert_eq!(
        invite.header(HeaderName::Date),
        Some("Mon, 21 Sep 2026 14:13:20 GMT")
    );
    let passport = passport(&invite).expect("signed");
    assert_eq!(passport.claims.attest, Some(Attestation::A));
    assert_eq!(
        (passport.claims.orig.tn.as_deref(), passport.claims.iat),
        (Some("49305555"), NOW)
    );
    assert_eq!(passport.claims.dest.tn, ["49401234"]);
    // The other gateway takes the call as it was sent.
    let lines = format!(
        "From: {};tag=x\r\nTo: <sip:+49401234@far.example>\r\nIdentity: {}\r\n",
        "<sip:+49305555@near.example>",
        invite.header(HeaderName::Identity).expect("signed"),
    );
    scene.bench.request(
        CARRIER,
        "INVITE",
        "sip:+49301234@192.0.2.1",
        &lines,
        &sdp(20, 5_000, 0),
    );
    let pem = scene.signer.pem.clone();
    scene.deliver(&pem);
    match &scene.verdicts()[..] {
        [Verdict::Verified(verified)] => {
            assert_eq!(
                (verified.attestation, &verified.origin),
                (Some(Attestation::A), &passport.claims.origid)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_attestation_is_as_good_as_what_is_known_of_the_caller() {
    let scene = Scene::new(Verification::Show);
    for (caller, attestation) in [
        ("+49305555", Attestation::A),
        ("0305555", Attestation::A),
        ("+49401111", Attestation::B),
    ] {
        let mut bench = signing(&scene, |trunk| trunk.caller_id = CallerId::Fixed(caller.into()));
        let invite = call_out(&mut bench, "+49401234");
        assert_eq!(
            passport(&invite).expect("signed").claims.attest,
            Some(attestation),
            "{caller}"
        );
    }
    // Neither an extension nor a name is a number of the world outside.
    let mut bench = signing(&scene, |_| {});
    assert_eq!(passport(&call_out(&mut bench, "+49401234")), None);
    let mut bench = signing(&scene, |trunk| {
        trunk.caller_id = CallerId::Fixed("+49305555".into())
    });
    assert_eq!(passport(&call_out(&mut bench, "alice")), None);
    // What the trunk is told beside `From` is signed.
    let mut bench = signing(&scene, |trunk| {
        trunk.caller_id = CallerId::Fixed("+49305555".into());
        trunk.identity.asserted_in = vec![AssertedIn::PAssertedIdentity];
    });
    bench.authenticated(
        PHONE,
        "INVITE",
        "sip:+49401234@192.0.2.1",
        "Privacy: id\r\n",
        &sdp(11, 4_000, 0),
    );
    let invite = bench.invited(CARRIER);
    assert_eq!(invite.from().uri.user(), Some("anonymous"));
    assert_eq!(
        passport(&invite).expect("signed").claims.orig.tn.as_deref(),
        Some("49305555")
    );
}

#[test]
fn a_call_from_a_trunk_keeps_its_signature_or_is_attested_as_passed_through() {
    let mut scene = Scene::new(Verification::Show);
    let key = Arc::clone(&scene.signer.key);
    let mut config = bench::config();
    config.stir.anchors =
        Arc::new(Anchors::new(std::slice::from_ref(&scene.authority.der), &[]).expect("anchors"));
    if let Access::Directory { trunks, .. } = &mut config.access {
        let trunk = trunks.get_mut("carrier").expect("the carrier");
        trunk.verification = Verification::Show;
        trunk.signing = Some(Signing {
            url: scene.signer.url.clone(),
            signer: session_core::stir::Signer::new(b"key", move |text| Some(signer::sign(&key, text))),
            numbers: vec![NumberPattern::parse("+1*").expect("pattern")],
        });
    }
    scene.bench = Bench::with(config);
    scene.bench.now = Time::from_secs(NOW);
    // The bench sends on whatever is no number of a user.
    let uri = "sip:+13035550100@192.0.2.1";
    let good = scene
        .signer
        .sign(Kind::Shaken, &claims(CALLER, "13035550100", NOW));
    let lines = format!("From: <sip:+{CALLER}@c.example>;tag=a\r\nIdentity: {good}\r\n");
    scene
        .bench
        .request(CARRIER, "INVITE", uri, &lines, &sdp(20, 5_000, 0));
    let pem = scene.signer.pem.clone();
    scene.deliver(&pem);
    assert!(matches!(scene.verdicts()[..], [Verdict::Verified(_)]));
    let invite = scene.bench.invited(CARRIER);
    assert_eq!(
        invite.lines(HeaderName::Identity).collect::<Vec<_>>(),
        [good.as_str()]
    );
    // Without a good signature it is ours that says where the call came in.
    let lines = format!("From: <sip:+{CALLER}@c.example>;tag=b\r\nIdentity: {good}\r\n");
    scene
        .bench
        .request(CARRIER, "INVITE", uri, &lines, &sdp(20, 5_000, 0));
    let invite = scene.bench.invited(CARRIER);
    let passport = passport(&invite).expect("signed");
    assert_ne!(
        invite.header(HeaderName::Identity),
        Some(good.as_str()),
        "a replayed one is not passed on"
    );
    assert_eq!(passport.claims.attest, Some(Attestation::C));
}

#[test]
fn each_target_gets_a_signature_of_its_own_time_and_a_call_that_waits_for_its_turn_a_fresh_one() {
    let scene = Scene::new(Verification::Show);
    let mut bench = signing(&scene, |trunk| {
        trunk.caller_id = CallerId::Fixed("+49305555".into());
        let place = |host: &str| TrunkAddress {
            host: host.to_owned(),
            port: None,
            priority: if host == "192.0.2.20" { 0 } else { 1 },
            weight: 1,
        };
        trunk.outgoing.places = vec![place("192.0.2.20"), place("192.0.2.12")];
        trunk.outgoing.rate = Some(CallRate {
            calls: 1,
            within: Duration::from_secs(90),
        });
        trunk.outgoing.wait = Duration::from_secs(200);
    });
    let first = call_out(&mut bench, "+49401234");
    assert_eq!(passport(&first).expect("signed").claims.iat, NOW);
    bench.sent.clear();
    bench.authenticated(PHONE, "INVITE", "sip:+49401235@192.0.2.1", "", &sdp(11, 4_000, 0));
    bench.wait(95);
    let second = bench.invited(CARRIER);
    let age = bench.now.as_secs() - passport(&second).expect("signed").claims.iat;
    assert!(age <= 10, "{age} s old");
}

#[test]
fn a_pattern_of_numbers_is_a_number_or_a_beginning() {
    for good in ["+49301234", "+4930*", "+49*"] {
        assert!(NumberPattern::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "*", "+", "+*", "4930*", "+49x", "+49**", "+1234567890123456"] {
        assert!(NumberPattern::parse(bad).is_err(), "{bad}");
    }
}
