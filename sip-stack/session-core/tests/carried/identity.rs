//! Identity of callers: what goes from one side to the other, by the trust in each trunk.

use std::time::Duration;

use session_core::identity::{AssertedIn, DiversionIn, DiversionReason, IdentityPolicy};
use session_core::{Access, Dial, Event, OnFailure, Party};
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use super::bench::{Bench, CARRIER, OTHER, PHONE, config, sdp};
use super::from;

/// A gateway whose carrier is given what `policy` says.
fn bench(policy: IdentityPolicy, trusted: bool) -> Bench {
    let mut config = config();
    if let Access::Directory { trunks, users } = &mut config.access {
        let carrier = trunks.get_mut("carrier").unwrap();
        carrier.identity = policy;
        carrier.trusted = trusted;
        users.get_mut("1001").unwrap().display = "Anna".into();
    }
    Bench::with(config)
}

/// Values of a field.
fn values(message: &Message, name: HeaderName) -> Vec<String> {
    message.lines(name).map(str::to_owned).collect()
}

/// Calls out as 1001 with these fields; returns the INVITE that the carrier gets.
fn called_out(bench: &mut Bench, lines: &str) -> Message {
    bench.register(PHONE, "");
    bench.authenticated(
        PHONE,
        "INVITE",
        "sip:0301234@192.0.2.1",
        lines,
        &sdp(11, 4_000, 0),
    );
    bench.invited(CARRIER)
}

fn all() -> IdentityPolicy {
    IdentityPolicy {
        asserted_in: vec![
            AssertedIn::PAssertedIdentity,
            AssertedIn::PPreferredIdentity,
            AssertedIn::RemotePartyId,
        ],
        diversion_in: DiversionIn::Both,
        user_to_user: true,
        charge: None,
    }
}

const ANONYMOUS: &str = "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=a\r\n\
                         P-Preferred-Identity: <sip:1001@192.0.2.1>\r\nPrivacy: id\r\n";

#[test]
fn a_trunk_is_given_the_caller_in_the_headers_that_it_wants() {
    let invite = called_out(&mut bench(IdentityPolicy::default(), true), "");
    for name in [
        HeaderName::PAssertedIdentity,
        HeaderName::PPreferredIdentity,
        HeaderName::RemotePartyId,
        HeaderName::Privacy,
        HeaderName::PChargeInfo,
    ] {
        assert_eq!(invite.header(name), None);
    }
    let invite = called_out(
        &mut bench(
            IdentityPolicy {
                charge: Some("+49300".into()),
                ..all()
            },
            true,
        ),
        "",
    );
    let anna = "\"Anna\" <sip:1001@192.0.2.1>";
    assert_eq!(values(&invite, HeaderName::PAssertedIdentity), [anna]);
    assert_eq!(values(&invite, HeaderName::PPreferredIdentity), [anna]);
    assert_eq!(
        values(&invite, HeaderName::RemotePartyId),
        [format!("{anna};party=calling;screen=yes;privacy=off")]
    );
    assert_eq!(invite.header(HeaderName::Privacy), None);
    assert_eq!(
        values(&invite, HeaderName::PChargeInfo),
        ["<sip:+49300@192.0.2.1>"]
    );
}

#[test]
fn a_caller_who_wants_to_stay_unknown_is_named_to_those_alone_who_are_trusted_with_it() {
    // As JsSIP and SIP.js write it; without a name for us, the credentials alone say who it is.
    let unnamed = "From: <sip:anonymous@anonymous.invalid>;tag=a\r\nPrivacy: id\r\n";
    for lines in [ANONYMOUS, unnamed] {
        let invite = called_out(&mut bench(IdentityPolicy::default(), true), lines);
        let text = format!("{invite:?}");
        assert!(!text.contains("1001") && !text.contains("Anna"), "{text}");
        let from = invite.from();
        assert_eq!(from.uri.to_string(), "sip:anonymous@anonymous.invalid");
        let invite = called_out(&mut bench(all(), true), lines);
        assert_eq!(invite.from().uri.to_string(), "sip:anonymous@anonymous.invalid");
        assert_eq!(
            values(&invite, HeaderName::PAssertedIdentity),
            ["\"Anna\" <sip:1001@192.0.2.1>"]
        );
        assert_eq!(values(&invite, HeaderName::Privacy), ["id"]);
        let remote = values(&invite, HeaderName::RemotePartyId);
        assert!(remote[0].ends_with(";privacy=full"), "{remote:?}");
    }
    // Whoever names another user is not let in as that one.
    let mut bench = bench(all(), true);
    bench.register(PHONE, "");
    let stolen = ANONYMOUS.replace("sip:1001@", "sip:1002@");
    let code = bench.authenticated(PHONE, "INVITE", "sip:0301@192.0.2.1", &stolen, &sdp(11, 4_000, 0));
    assert_eq!(code, StatusCode::FORBIDDEN);
}

#[test]
fn a_colleague_sees_no_caller_who_wants_to_stay_unknown() {
    let mut bench = bench(all(), true);
    bench.register(PHONE, "");
    bench.register(OTHER, "");
    bench.authenticated(
        PHONE,
        "INVITE",
        "sip:1002@192.0.2.1",
        ANONYMOUS,
        &sdp(11, 4_000, 0),
    );
    assert_eq!(from(&bench, OTHER), ("anonymous".into(), "Anonymous".into()));
    assert!(!format!("{:?}", bench.invited(OTHER)).contains("1001"));
}

#[test]
fn a_remote_party_id_of_a_trusted_trunk_counts_where_nothing_is_asserted() {
    let trunk = "From: <sip:trunk77@carrier.example>;tag=1\r\n";
    let shown = |lines: &str, trusted: bool| {
        let mut bench = bench(all(), trusted);
        bench.register(PHONE, "");
        bench.called_in(&format!("{trunk}{lines}"));
        from(&bench, PHONE)
    };
    let is = |user: &str, display: &str| (user.to_owned(), display.to_owned());
    let real = "Remote-Party-ID: \"Real\" <sip:+4940555@c.example>;party=calling;screen=yes";
    let called = "Remote-Party-ID: <sip:+4940556@c.example>;party=called";
    assert_eq!(shown(&format!("{real}\r\n"), true), is("+4940555", "Real"));
    assert_eq!(
        shown(&format!("{real};privacy=full\r\n"), true),
        is("trunk77", "")
    );
    assert_eq!(shown(&format!("{called}\r\n"), true), is("trunk77", ""));
    assert_eq!(shown(&format!("{real}\r\n"), false), is("trunk77", ""));
    let asserted = format!("{real}\r\nP-Asserted-Identity: <sip:+4940557@c.example>\r\n");
    assert_eq!(shown(&asserted, true), is("+4940557", ""));
}

/// What the application learns of a call that the carrier makes with these fields.
fn identity(lines: &str, policy: IdentityPolicy, trusted: bool) -> session_core::identity::Identity {
    let mut bench = bench(policy, trusted);
    bench.register(PHONE, "");
    bench.called_in(lines);
    let found = bench.events.iter().find_map(|event| match event {
        Event::Incoming { call, .. } => Some(call.identity.clone()),
        _ => None,
    });
    found.expect("a call")
}

#[test]
fn diversions_are_read_from_either_header_and_from_those_who_are_trusted() {
    let told = |lines: &str, trusted: bool| {
        let identity = identity(lines, IdentityPolicy::default(), trusted);
        let told = identity.diversions.iter();
        let told = told.map(|d| {
            format!(
                "{} {}{}",
                d.by.user,
                d.reason.as_str(),
                if d.private { " private" } else { "" }
            )
        });
        told.collect::<Vec<_>>()
    };
    let both = "Diversion: \"B\" <sip:+49302@c.example>;reason=user-busy;privacy=full;counter=1, \
                <sip:+49301@c.example>;reason=unconditional\r\n";
    assert_eq!(
        told(both, true),
        ["+49302 user-busy private", "+49301 unconditional"]
    );
    assert!(told(both, false).is_empty());
    // RFC 7044 appendix B shape: A was called, diverted to B, which was busy.
    let history = "History-Info: <sip:+49301@c.example>;index=1, \
                   <sip:+49302@c.example;cause=302?Privacy=history>;index=1.1;mp=1, \
                   <sip:+49303@c.example;cause=486>;index=1.1.1;mp=1.1\r\n";
    assert_eq!(
        told(history, true),
        ["+49302 user-busy private", "+49301 unconditional"]
    );
    // Without `mp` the entry before is meant; without `cause` nothing was diverted.
    let plain = "History-Info: <sip:+49301@c.example>;index=1, <sip:+49303@c.example>;index=1.1\r\n";
    assert!(told(plain, true).is_empty());
    let old = "History-Info: <sip:+49301@c.example>;index=1, <sip:+49303@c.example;cause=408>;index=1.1\r\n";
    assert_eq!(told(old, true), ["+49301 no-answer"]);
    assert!(
        told(
            "Diversion: <sip:anonymous@anonymous.invalid>;reason=unknown\r\n",
            true
        )
        .is_empty()
    );
}

#[test]
fn a_trunk_learns_that_a_phone_diverted_a_call_and_why() {
    let sent = |moved: &str, diversion_in: DiversionIn, rings: bool| {
        let mut bench = bench(
            IdentityPolicy {
                diversion_in,
                ..IdentityPolicy::default()
            },
            true,
        );
        bench.register(PHONE, "");
        let invite = bench.called_in("Diversion: <sip:+49300@c.example>;reason=no-answer\r\n");
        if rings {
            bench.respond(PHONE, &invite, StatusCode::RINGING, "p", "", "");
        }
        let lines = format!("Contact: <sip:0171234@192.0.2.1>\r\n{moved}");
        bench.respond(PHONE, &invite, StatusCode::MOVED_TEMPORARILY, "p", &lines, "");
        bench.invited(CARRIER)
    };
    let before = "<sip:+49300@192.0.2.1>;reason=no-answer;privacy=off";
    for (moved, rings, reason) in [
        ("", false, "unconditional"),
        ("", true, "deflection"),
        ("Diversion: <sip:1001@h>;reason=user-busy\r\n", true, "user-busy"),
    ] {
        let invite = sent(moved, DiversionIn::Diversion, rings);
        assert_eq!(
            values(&invite, HeaderName::Diversion),
            [
                format!("<sip:+49301234@192.0.2.1>;reason={reason};privacy=off").as_str(),
                before
            ]
        );
        assert_eq!(invite.header(HeaderName::HistoryInfo), None);
    }
    let invite = sent("", DiversionIn::HistoryInfo, false);
    assert_eq!(
        values(&invite, HeaderName::HistoryInfo),
        [
            "<sip:+49300@192.0.2.1>;index=1",
            "<sip:+49301234@192.0.2.1;cause=408>;index=1.1;mp=1",
            "<sip:0171234@192.0.2.20;cause=302>;index=1.1.1;mp=1.1",
        ]
    );
    assert_eq!(invite.header(HeaderName::Diversion), None);
    // Nothing of it goes to a trunk that is not to have it.
    let invite = sent("", DiversionIn::Neither, false);
    assert_eq!(
        (
            invite.header(HeaderName::Diversion),
            invite.header(HeaderName::HistoryInfo)
        ),
        (None, None)
    );
}

#[test]
fn user_data_goes_between_users_and_to_trunks_that_may_have_it() {
    let data = "User-to-User: 56a390f3d2b7310023;encoding=hex\r\nUser-to-User: 0011;encoding=hex\r\n";
    let expected = ["56a390f3d2b7310023;encoding=hex", "0011;encoding=hex"];
    let invite = called_out(&mut bench(all(), true), data);
    assert_eq!(values(&invite, HeaderName::UserToUser), expected);
    let invite = called_out(&mut bench(IdentityPolicy::default(), true), data);
    assert!(values(&invite, HeaderName::UserToUser).is_empty());
    let to_phone = |policy| {
        let mut bench = bench(policy, true);
        bench.register(PHONE, "");
        values(&bench.called_in(data), HeaderName::UserToUser)
    };
    assert_eq!(to_phone(all()), expected);
    assert!(to_phone(IdentityPolicy::default()).is_empty());
    let much = format!("User-to-User: {};encoding=hex\r\n", "00".repeat(1_100));
    let invite = called_out(&mut bench(all(), true), &much);
    assert!(values(&invite, HeaderName::UserToUser).is_empty());
}

#[test]
fn the_reason_of_one_side_reaches_the_other_without_its_text() {
    // A refusal: the cause of the telephone network goes on (RFC 6432), a status of SIP is one already.
    let refused = |lines: &str| {
        let mut bench = bench(IdentityPolicy::default(), true);
        let invite = called_out(&mut bench, "");
        bench.respond(CARRIER, &invite, StatusCode::BUSY_HERE, "c", lines, "");
        let response = bench.last_response();
        assert_eq!(response.status(), Some(StatusCode::BUSY_HERE));
        response.header(HeaderName::Reason).map(str::to_owned)
    };
    let busy = "Reason: Q.850;cause=17;text=\"gw7.inside.carrier.example\"\r\n";
    assert_eq!(refused(busy).as_deref(), Some("Q.850;cause=17"));
    assert_eq!(refused("Reason: SIP;cause=486\r\n"), None);
    assert_eq!(refused("Reason: Q.850;cause=9999\r\n"), None);
    assert_eq!(refused("Reason: X.1;cause=3\r\n"), None);
    // BYE.
    let mut bench = bench(IdentityPolicy::default(), true);
    bench.register(PHONE, "");
    let offer = sdp(20, 5_000, 0);
    let invite = bench.request(CARRIER, "INVITE", "sip:+49301234@192.0.2.1", "", &offer);
    let ours = bench.invited(PHONE);
    bench.respond(PHONE, &ours, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    let answered = bench.last_response().header(HeaderName::To).unwrap().to_owned();
    let head = invite.split("\r\nContact:").next().unwrap();
    let ack = head
        .replace("INVITE", "ACK")
        .replace("branch=z9hG4bKp", "branch=z9hG4bKack")
        .replace("To: <sip:+49301234@192.0.2.1>", &format!("To: {answered}"));
    bench.receive(CARRIER, format!("{ack}\r\nContent-Length: 0\r\n\r\n"));
    let to = ours.from().tag().unwrap_or_default().to_owned();
    let text = format!(
        "BYE sip:gw@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKbye;rport\r\nMax-Forwards: 70\r\n\
         From: {};tag=p\r\nTo: <sip:x@192.0.2.1>;tag={to}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\n\
         Reason: Q.850;cause=16;text=\"Terminated\"\r\nContent-Length: 0\r\n\r\n",
        PHONE.flow.remote,
        ours.header(HeaderName::To).unwrap(),
        ours.call_id(),
    );
    bench.receive(PHONE, text);
    let bye = bench.last(&Method::Bye).expect("a BYE");
    assert_eq!(bye.header(HeaderName::Reason), Some("Q.850;cause=16"));
}

#[test]
fn a_call_that_the_application_sends_on_tells_of_each_step() {
    let mut bench = bench(all(), true);
    bench.register(PHONE, "");
    bench.called_in("");
    let session = bench.events.iter().find_map(Event::session).unwrap();
    let steps = [
        (DiversionReason::NoAnswer, "1002"),
        (DiversionReason::DoNotDisturb, "0171234"),
    ];
    bench.act(|gateway, now| {
        for (reason, to) in steps {
            gateway.divert(session, reason, to);
        }
        let party = Party::Trunk {
            name: "carrier".into(),
            number: "0171234".into(),
        };
        let dial = Dial::together(vec![party], Duration::from_secs(60), OnFailure::Tell);
        gateway.dial(now, session, dial);
    });
    let invite = bench.invited(CARRIER);
    assert_eq!(
        values(&invite, HeaderName::Diversion),
        [
            "<sip:1002@192.0.2.1>;reason=do-not-disturb;privacy=off",
            "<sip:+49301234@192.0.2.1>;reason=no-answer;privacy=off",
        ]
    );
    assert_eq!(
        values(&invite, HeaderName::HistoryInfo)[1],
        "<sip:1002@192.0.2.1;cause=408>;index=1.1;mp=1"
    );
    bench.act(|gateway, now| gateway.terminate_session(now, session));
    bench.wait(40);
    let record = bench.events.iter().find_map(|event| match event {
        Event::Ended { record, .. } => Some(record),
        _ => None,
    });
    let forwarded = record.unwrap().forwarded.iter();
    let told: Vec<_> = forwarded
        .map(|step| (&*step.by, step.reason, &*step.to))
        .collect();
    assert_eq!(
        told,
        [("+49301234", steps[0].0, "1002"), ("1002", steps[1].0, "0171234")]
    );
}
