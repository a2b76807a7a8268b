//! Numbers at a trunk, the number that it is shown, and caps on the calls to it.

use std::sync::Arc;
use std::time::Duration;

use session_core::identity::{AssertedIn, DiversionIn, IdentityPolicy};
use session_core::{
    Access, CallerId, Cap, CapPer, Cause, Event, Fault, NumberForm, Numbering, Source, Talk, Trunk,
    TrunkNumbers,
};
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use super::bench::{Bench, CARRIER, OTHER, PHONE, config, sdp};

fn berlin() -> Arc<Numbering> {
    Arc::new(Numbering::new("49").unwrap().with_area("30").unwrap())
}

fn bench(change: impl FnOnce(&mut Trunk)) -> Bench {
    let mut config = config();
    if let Access::Directory { trunks, .. } = &mut config.access {
        change(trunks.get_mut("carrier").unwrap());
    }
    Bench::with(config)
}

fn in_form(form: NumberForm) -> Bench {
    bench(|carrier| {
        carrier.numbers = TrunkNumbers::new(form, Some(berlin()));
        carrier.caller_id = CallerId::Fixed("+493055500".into());
        carrier.identity = IdentityPolicy {
            asserted_in: vec![AssertedIn::PAssertedIdentity],
            diversion_in: DiversionIn::Diversion,
            ..IdentityPolicy::default()
        };
    })
}

fn call_out(bench: &mut Bench, number: &str) -> Message {
    let uri = format!("sip:{number}@192.0.2.1");
    bench.authenticated(PHONE, "INVITE", &uri, "", &sdp(11, 4_000, 0));
    bench.invited(CARRIER)
}

#[test]
fn a_trunk_is_called_and_shown_numbers_in_its_form() {
    for (form, called, shown) in [
        (NumberForm::AsIs, "030123456", "+493055500"),
        (NumberForm::Plus, "+4930123456", "+493055500"),
        (NumberForm::Digits, "4930123456", "493055500"),
        (NumberForm::International, "004930123456", "00493055500"),
        (NumberForm::National, "030123456", "03055500"),
    ] {
        let mut bench = in_form(form);
        bench.register(PHONE, "");
        let invite = call_out(&mut bench, "030123456");
        assert_eq!(
            invite.request_uri(),
            Some(&*format!("sip:{called}@192.0.2.20")),
            "{form:?}"
        );
        assert_eq!(invite.to().uri.user(), Some(called), "{form:?}");
        assert_eq!(invite.from().uri.user(), Some(shown), "{form:?}");
        let asserted = invite.header(HeaderName::PAssertedIdentity).unwrap_or_default();
        assert!(
            asserted.contains(&format!("sip:{shown}@")),
            "{form:?}: {asserted}"
        );
        // What is no public number stays.
        let invite = call_out(&mut bench, "112");
        assert_eq!(invite.to().uri.user(), Some("112"), "{form:?}");
    }
}

#[test]
fn numbers_of_a_trunk_are_known_in_e164_here() {
    let mut bench = in_form(NumberForm::National);
    bench.register(PHONE, "");
    let lines = "From: <sip:0407654321@carrier>;tag=c\r\nP-Asserted-Identity: <sip:0407654321@carrier>\r\n\
                 Diversion: <sip:0891234567@carrier>;reason=user-busy\r\n";
    bench.request(
        CARRIER,
        "INVITE",
        "sip:030001234@192.0.2.1",
        lines,
        &sdp(20, 5_000, 0),
    );
    let incoming = |bench: &Bench| {
        let found = bench.events.iter().rev().find_map(|event| match event {
            Event::Incoming { call, .. } => Some((**call).clone()),
            _ => None,
        });
        found.expect("a call")
    };
    let call = incoming(&bench);
    assert_eq!((&*call.from, &*call.to), ("+49407654321", "+4930001234"));
    assert_eq!(
        call.identity.asserted.map(|caller| caller.user).as_deref(),
        Some("+49407654321")
    );
    assert_eq!(call.identity.diversions[0].by.user, "+49891234567");
    // Its own number, in the form that it has: the user's phone shows a number that can be called back.
    let lines = "From: <sip:0407654321@carrier>;tag=c\r\n";
    bench.request(
        CARRIER,
        "INVITE",
        "sip:0301234@192.0.2.1",
        lines,
        &sdp(20, 5_000, 0),
    );
    assert_eq!(incoming(&bench).to, "+49301234");
    assert_eq!(bench.invited(PHONE).from().uri.user(), Some("+49407654321"));
}

#[test]
fn a_rule_shows_a_trunk_another_number_or_none() {
    let mut bench = in_form(NumberForm::Plus);
    bench.register(PHONE, "");
    bench.caller_id = Some(CallerId::Fixed("+4930999".into()));
    assert_eq!(
        call_out(&mut bench, "030123456").from().uri.user(),
        Some("+4930999")
    );
    bench.caller_id = Some(CallerId::Pass);
    assert_eq!(call_out(&mut bench, "030123456").from().uri.user(), Some("1001"));
    bench.caller_id = Some(CallerId::Withheld);
    let invite = call_out(&mut bench, "030123456");
    assert_eq!(invite.from().uri.to_string(), "sip:anonymous@anonymous.invalid");
    assert_eq!(invite.header(HeaderName::Privacy), Some("id"));
    let asserted = invite.header(HeaderName::PAssertedIdentity).unwrap_or_default();
    assert!(
        asserted.contains("sip:+493055500@"),
        "the carrier knows who pays: {asserted}"
    );
    assert!(!format!("{invite:?}").contains("1001@"));
}

fn capped(cap: Cap) -> Bench {
    let mut config = config();
    config.limits.caps = vec![cap];
    let mut bench = Bench::with(config);
    bench.register(PHONE, "");
    bench.register(OTHER, "");
    bench
}

fn cap() -> Cap {
    Cap {
        name: "abroad".into(),
        prefixes: vec!["00".into()],
        except: Vec::new(),
        per: CapPer::Caller,
        calls: None,
        rate: None,
        talk: None,
        longest: None,
    }
}

#[test]
fn a_caller_who_has_reached_a_cap_is_refused_and_others_are_not() {
    let mut bench = capped(Cap {
        calls: Some(1),
        ..cap()
    });
    call_out(&mut bench, "0033123456");
    let calls = bench.count(&Method::Invite);
    let code = bench.authenticated(PHONE, "INVITE", "sip:0034@192.0.2.1", "", &sdp(11, 4_000, 0));
    assert_eq!(
        (code, bench.count(&Method::Invite)),
        (StatusCode::FORBIDDEN, calls)
    );
    let reached = bench.events.iter().filter_map(|event| match event {
        Event::CapReached { cap, by } => Some((cap.clone(), by.clone())),
        _ => None,
    });
    let by = Some(Source::User("1001".into()));
    assert_eq!(reached.collect::<Vec<_>>(), [("abroad".into(), by)], "once");
    let fault = bench.events.iter().rev().find_map(|event| match event {
        Event::Ended { record, .. } => record.fault,
        _ => None,
    });
    assert_eq!(fault, Some(Fault::Capped));
    // At home, and for somebody else, there is no such cap.
    call_out(&mut bench, "0301234567");
    bench.authenticated(OTHER, "INVITE", "sip:0034@192.0.2.1", "", &sdp(12, 4_000, 0));
    assert_eq!(bench.count(&Method::Invite), calls + 2);
}

#[test]
fn a_call_ends_when_it_has_talked_for_as_long_as_it_may() {
    let longest = Duration::from_secs(20);
    let mut bench = capped(Cap {
        longest: Some(longest),
        talk: Some(Talk {
            most: longest,
            within: Duration::from_secs(3_600),
        }),
        ..cap()
    });
    let invite = call_out(&mut bench, "0033123456");
    bench.wait(5);
    bench.respond(CARRIER, &invite, StatusCode::OK, "c", "", &sdp(20, 5_000, 0));
    bench.wait(19);
    assert_eq!(bench.count(&Method::Bye), 0, "it began with the answer");
    bench.wait(2);
    assert!(bench.count(&Method::Bye) >= 2, "both sides");
    let ended = bench.events.iter().find_map(|event| match event {
        Event::Ended { record, .. } if record.answered.is_some() => Some((record.cause, record.fault)),
        _ => None,
    });
    // The phone's BYE is not answered in this bench, so the record may come later.
    assert!(ended.is_none_or(|ended| ended == (Cause::Local, Some(Fault::Capped))));
    // The hour's minutes are used up.
    let code = bench.authenticated(PHONE, "INVITE", "sip:0034@192.0.2.1", "", &sdp(11, 4_000, 0));
    assert_eq!(code, StatusCode::FORBIDDEN);
}

#[test]
fn a_trunk_that_redirects_leads_past_no_cap() {
    let mut bench = capped(Cap {
        calls: Some(1),
        prefixes: vec!["0900".into()],
        ..cap()
    });
    let moved = |bench: &mut Bench, dialled: &str, to: &str| {
        let invite = call_out(bench, dialled);
        let calls = bench.count(&Method::Invite);
        let contact = format!("Contact: <sip:{to}@192.0.2.20>\r\n");
        bench.respond(CARRIER, &invite, StatusCode::MOVED_TEMPORARILY, "c", &contact, "");
        bench.count(&Method::Invite) - calls
    };
    assert_eq!(moved(&mut bench, "0301", "09001"), 1, "the first one");
    let reached = |bench: &Bench| {
        let is_it = |event: &&Event| matches!(event, Event::CapReached { .. });
        bench.events.iter().filter(is_it).count()
    };
    assert_eq!(reached(&bench), 0);
    assert_eq!(moved(&mut bench, "0302", "09002"), 0);
    assert_eq!(reached(&bench), 1);
    assert_eq!(moved(&mut bench, "0303", "0304"), 1, "no such number");
}
