//! Content of messages, and its effect on the other leg: bodies, forks, statuses, numbers, identities, routes.

pub(crate) mod bench;
mod certificate;
mod identity;
mod numbers;

use media_core::control::{Command, Event as MediaEvent, Failure};
use session_core::{Event, Input};
use sip_core::flow::Transport;
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use bench::{Bench, CARRIER, OTHER, PAGE, PHONE, Peer, config, dtls, sdp};

const MULTIPART: &str = "Content-Type: multipart/mixed;boundary=edge\r\n";
const RELIABLE: &str = "Require: 100rel\r\nRSeq: 1\r\n";

/// A description beside something of no interest.
fn mixed(sdp: &str) -> String {
    format!(
        "--edge\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--edge\r\nContent-Type: application/isup\r\n\
         Content-Disposition: signal; handling=optional\r\n\r\n\u{1}\r\n--edge--\r\n"
    )
}

/// Registers a user who calls the carrier; returns the INVITE that the carrier gets.
fn called_out(bench: &mut Bench) -> Message {
    bench.register(PHONE, "");
    bench.authenticated(PHONE, "INVITE", "sip:0301234@192.0.2.1", "", &sdp(11, 4_000, 0));
    bench.invited(CARRIER)
}

fn from(bench: &Bench, peer: Peer) -> (String, String) {
    let invite = bench.invited(peer);
    let from = invite.from();
    (
        from.uri.user().unwrap_or_default().to_owned(),
        from.display_name().into_owned(),
    )
}

#[test]
fn a_multipart_offer_and_its_multipart_answer_make_a_call() {
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    bench.request(
        CARRIER,
        "INVITE",
        "sip:+49301234@192.0.2.1",
        MULTIPART,
        &mixed(&sdp(20, 5_000, 0)),
    );
    let invite = bench.invited(PHONE);
    bench.respond(
        PHONE,
        &invite,
        StatusCode::OK,
        "p",
        MULTIPART,
        &mixed(&sdp(11, 4_000, 0)),
    );
    assert_eq!(
        bench.connected(bench.last_leg()),
        [(Some("192.0.2.11:4000".parse().unwrap()), 0)]
    );
    assert_eq!(bench.statuses(), [StatusCode::OK]);
}

#[test]
fn a_foreign_body_takes_nothing_from_the_status_of_a_response() {
    let isup = "Content-Type: application/isup; version=itu-t92+\r\n";
    let mut bench = Bench::new();
    let invite = called_out(&mut bench);
    bench.respond(CARRIER, &invite, StatusCode::RINGING, "c", isup, "\u{6}");
    assert_eq!(bench.statuses().last(), Some(&StatusCode::RINGING));
    bench.respond(
        CARRIER,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "c",
        RELIABLE,
        "this is no description",
    );
    assert_eq!(
        bench.statuses().last(),
        Some(&StatusCode::SESSION_PROGRESS),
        "nor one that cannot be read"
    );
    bench.respond(
        CARRIER,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "c",
        "Require: 100rel\r\nRSeq: 2\r\n",
        &sdp(20, 5_000, 0),
    );
    bench.respond(CARRIER, &invite, StatusCode::OK, "c", isup, "\u{6}");
    assert_eq!(bench.statuses().last(), Some(&StatusCode::OK));
    // Without any description there is no session, whoever answers.
    let mut bench = Bench::new();
    let invite = called_out(&mut bench);
    bench.respond(CARRIER, &invite, StatusCode::OK, "c", isup, "\u{6}");
    assert_eq!(
        (bench.statuses().last(), bench.count(&Method::Bye)),
        (Some(&StatusCode::NOT_ACCEPTABLE_HERE), 1)
    );
}

#[test]
fn early_media_follows_the_fork_that_spoke_last_and_who_answers_keeps_its_own() {
    let mut bench = Bench::new();
    let invite = called_out(&mut bench);
    let leg = bench.last_leg();
    let (one, two) = (sdp(20, 5_000, 0), sdp(21, 6_000, 8));
    let (at_one, at_two) = (
        (Some("192.0.2.20:5000".parse().unwrap()), 0),
        (Some("192.0.2.21:6000".parse().unwrap()), 8),
    );
    bench.respond(
        CARRIER,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "one",
        RELIABLE,
        &one,
    );
    bench.respond(
        CARRIER,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "two",
        RELIABLE,
        &two,
    );
    assert_eq!(bench.connected(leg), [at_one, at_two]);
    // A fork that reports ringing again takes nothing back.
    bench.respond(
        CARRIER,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "one",
        "Require: 100rel\r\nRSeq: 2\r\n",
        &one,
    );
    assert_eq!(bench.connected(leg).len(), 2);
    bench.respond(CARRIER, &invite, StatusCode::OK, "one", "", "");
    assert_eq!(
        bench.connected(leg),
        [at_one, at_two, at_one],
        "its answer came before"
    );
    assert_eq!(bench.statuses().last(), Some(&StatusCode::OK));
    // Nothing of the other fork is left: a copy of its answer comes from another peer.
    bench.respond(CARRIER, &invite, StatusCode::OK, "two", "", &two);
    assert_eq!((bench.connected(leg).len(), bench.count(&Method::Bye)), (3, 1));
}

#[test]
fn a_fork_that_answers_without_a_description_of_its_own_has_no_session() {
    let mut bench = Bench::new();
    let invite = called_out(&mut bench);
    bench.respond(
        CARRIER,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "one",
        RELIABLE,
        &sdp(20, 5_000, 0),
    );
    bench.respond(CARRIER, &invite, StatusCode::OK, "two", "", "");
    assert_eq!(bench.statuses().last(), Some(&StatusCode::NOT_ACCEPTABLE_HERE));
    // If the early fork has no name, it is taken for the one that answers.
    let mut bench = Bench::new();
    let invite = called_out(&mut bench);
    bench.respond(
        CARRIER,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "",
        "",
        &sdp(20, 5_000, 0),
    );
    bench.respond(CARRIER, &invite, StatusCode::OK, "two", "", "");
    assert_eq!(bench.statuses().last(), Some(&StatusCode::OK));
}

#[test]
fn what_the_carrier_says_to_us_alone_is_not_passed_on() {
    let answered = |code: StatusCode, lines: &str| {
        let mut bench = Bench::new();
        let invite = called_out(&mut bench);
        bench.respond(CARRIER, &invite, code, "c", lines, "");
        let last = bench.last_response();
        for name in [
            "WWW-Authenticate",
            "Proxy-Authenticate",
            "Retry-After",
            "Allow-Events",
            "Min-SE",
        ] {
            assert_eq!(last.header_named(name), None, "{code}: {name}");
        }
        last.status().unwrap()
    };
    let challenge = "WWW-Authenticate: Digest realm=\"c\", nonce=\"n\", qop=\"auth\"\r\n";
    assert_eq!(
        answered(StatusCode::UNAUTHORIZED, challenge),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        answered(
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            "Proxy-Authenticate: Digest realm=\"c\", nonce=\"n\"\r\n"
        ),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        answered(StatusCode::BAD_EXTENSION, "Unsupported: timer\r\n"),
        StatusCode::SERVER_INTERNAL_ERROR
    );
    assert_eq!(answered(StatusCode::TOO_MANY_HOPS, ""), StatusCode::BAD_GATEWAY);
    assert_eq!(
        answered(StatusCode::SERVICE_UNAVAILABLE, "Retry-After: 300\r\n"),
        StatusCode::SERVICE_UNAVAILABLE
    );
    for code in [
        StatusCode::NOT_FOUND,
        StatusCode::TEMPORARILY_UNAVAILABLE,
        StatusCode::ADDRESS_INCOMPLETE,
        StatusCode::BUSY_HERE,
        StatusCode::NOT_ACCEPTABLE_HERE,
        StatusCode::BUSY_EVERYWHERE,
        StatusCode::DECLINE,
    ] {
        assert_eq!(answered(code, ""), code);
    }
}

#[test]
fn a_trunk_is_known_by_its_address_whatever_its_callers_are_called() {
    let named = "From: <sip:+49305678@192.0.2.20;user=phone>;tag=1\r\n";
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    bench.request(
        CARRIER,
        "INVITE",
        "sip:+49301234@192.0.2.1",
        named,
        &sdp(20, 5_000, 0),
    );
    assert_eq!(from(&bench, PHONE).0, "+49305678");
    // A phone of ours behind the same address is challenged, and then acts as its user.
    let behind = Peer {
        flow: sip_core::flow::Flow {
            remote: "192.0.2.20:5062".parse().unwrap(),
            ..CARRIER.flow
        },
        user: "1002",
    };
    bench.register(behind, "");
    let code = bench.authenticated(behind, "INVITE", "sip:1001@192.0.2.1", "", &sdp(20, 5_004, 0));
    assert_ne!(code, StatusCode::FORBIDDEN);
    assert_eq!(from(&bench, PHONE).0, "1002");
    // From anywhere else the name alone proves nothing.
    bench.request(
        OTHER,
        "INVITE",
        "sip:+49301234@192.0.2.1",
        named,
        &sdp(12, 5_000, 0),
    );
    assert_eq!(bench.last_response().status(), Some(StatusCode::UNAUTHORIZED));
}

#[test]
fn the_caller_of_a_trusted_trunk_is_whom_it_asserts() {
    let asserted = "From: \"Trunk\" <sip:trunk77@carrier.example>;tag=1\r\n\
                    P-Asserted-Identity: \"Real Caller\" <sip:+4940555@carrier.example;user=phone>\r\n";
    let shown = |trusted: bool, lines: &str| {
        let mut config = config();
        if let session_core::Access::Directory { trunks, .. } = &mut config.access {
            trunks.get_mut("carrier").unwrap().trusted = trusted;
        }
        let mut bench = Bench::with(config);
        bench.register(PHONE, "");
        bench.request(
            CARRIER,
            "INVITE",
            "sip:+49301234@192.0.2.1",
            lines,
            &sdp(20, 5_000, 0),
        );
        assert_eq!(bench.invited(PHONE).header_named("P-Asserted-Identity"), None);
        from(&bench, PHONE)
    };
    let is = |user: &str, display: &str| (user.to_owned(), display.to_owned());
    assert_eq!(shown(true, asserted), is("+4940555", "Real Caller"));
    assert_eq!(shown(false, asserted), is("trunk77", "Trunk"));
    assert_eq!(
        shown(true, &format!("{asserted}Privacy: id\r\n")),
        is("trunk77", "Trunk")
    );
    // Users cannot assert an identity.
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    bench.register(OTHER, "");
    let claim =
        "P-Asserted-Identity: <sip:+4930110@192.0.2.1>\r\nRemote-Party-ID: <sip:+4930110@192.0.2.1>\r\n";
    bench.authenticated(OTHER, "INVITE", "sip:1001@192.0.2.1", claim, &sdp(12, 5_000, 0));
    assert_eq!(from(&bench, PHONE).0, "1002");
}

#[test]
fn parameters_of_a_number_are_neither_dialled_nor_shown_nor_sent_on() {
    for uri in [
        "sip:+49301234;npdi;rn=+4930999@192.0.2.1;user=phone",
        "sip:%2B49301234;cpc=ordinary@192.0.2.1",
        "tel:+49301234;phone-context=ims.example",
    ] {
        let mut bench = Bench::new();
        bench.register(PHONE, "");
        let caller = "From: <sip:+4930999;cpc=payphone@192.0.2.20;user=phone>;tag=1\r\n";
        bench.request(CARRIER, "INVITE", uri, caller, &sdp(20, 5_000, 0));
        assert_eq!(from(&bench, PHONE).0, "+4930999", "{uri}");
    }
    for (dialled, sent) in [
        ("0301;rn=+4930110", "0301"),
        ("0301%3Brn=+4930110", "0301%3Brn=+4930110"),
    ] {
        let mut bench = Bench::new();
        bench.register(PHONE, "");
        bench.authenticated(
            PHONE,
            "INVITE",
            &format!("sip:{dialled}@192.0.2.1"),
            "",
            &sdp(11, 4_000, 0),
        );
        let invite = bench.invited(CARRIER);
        assert_eq!(invite.uri().unwrap().user(), Some(sent));
        assert!(!invite.header(HeaderName::To).unwrap().contains(";rn="));
    }
}

#[test]
fn info_without_a_body_asks_whether_we_are_there() {
    let mut bench = Bench::new();
    let invite = called_out(&mut bench);
    bench.respond(CARRIER, &invite, StatusCode::OK, "c", "", &sdp(20, 5_000, 0));
    let (from, to) = (
        invite.header(HeaderName::From).unwrap(),
        invite.header(HeaderName::To).unwrap(),
    );
    let mut info = |cseq: u32, lines: &str, body: &str| {
        let text = format!(
            "INFO sip:1001@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.20;branch=z9hG4bKi{cseq}\r\nMax-Forwards: 70\r\n\
             From: {to};tag=c\r\nTo: {from}\r\nCall-ID: {}\r\nCSeq: {cseq} INFO\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            invite.call_id(),
            body.len()
        );
        bench.receive(CARRIER, text);
        bench.last_response().status().unwrap()
    };
    assert_eq!(info(1, "", ""), StatusCode::OK);
    assert_eq!(
        info(2, "Content-Type: application/dtmf-relay\r\n", ""),
        StatusCode::OK
    );
    assert_eq!(
        info(3, "Content-Type: application/dtmf\r\n", "11"),
        StatusCode::OK
    );
    assert!(
        bench
            .events
            .iter()
            .any(|event| matches!(event, Event::Dtmf { digit: '#', .. }))
    );
}

#[test]
fn a_phone_that_is_elsewhere_is_followed_by_number_and_not_in_circles() {
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    bench.register(OTHER, "");
    let invite = bench.called_in("");
    bench.respond(
        PHONE,
        &invite,
        StatusCode::MOVED_TEMPORARILY,
        "p",
        "Contact: <sip:1002@192.0.2.1>\r\n",
        "",
    );
    let diverted = bench.events.iter().find_map(|event| match event {
        Event::Diverted { user, numbers, .. } => Some((user.as_str(), numbers.clone())),
        _ => None,
    });
    assert_eq!(diverted, Some(("1001", vec!["1002".to_owned()])));
    let second = bench.invited(OTHER);
    bench.respond(OTHER, &second, StatusCode::RINGING, "o", "", "");
    assert_eq!(bench.statuses(), [StatusCode::RINGING], "the caller waits on");
    // Redirected to where it came from, and then nowhere.
    bench.respond(
        OTHER,
        &second,
        StatusCode::MOVED_TEMPORARILY,
        "o",
        "Contact: <sip:1001@192.0.2.1>\r\n",
        "",
    );
    let third = bench.invited(PHONE);
    assert_ne!(third.call_id(), invite.call_id());
    bench.respond(
        PHONE,
        &third,
        StatusCode::MOVED_TEMPORARILY,
        "p",
        "Contact: <sip:1002@192.0.2.1>\r\n",
        "",
    );
    assert_eq!(
        bench.statuses(),
        [StatusCode::RINGING, StatusCode::TEMPORARILY_UNAVAILABLE]
    );
}

#[test]
fn a_phone_sends_nobody_to_other_networks() {
    for (code, contact) in [
        (StatusCode::MOVED_TEMPORARILY, "<sip:1002@elsewhere.example>"),
        (StatusCode::USE_PROXY, "<sip:1002@192.0.2.1>"),
        (StatusCode::MOVED_TEMPORARILY, "<sip:192.0.2.1>"),
    ] {
        let mut bench = Bench::new();
        bench.register(PHONE, "");
        bench.register(OTHER, "");
        let invite = bench.called_in("");
        let before = bench.count(&Method::Invite);
        bench.respond(PHONE, &invite, code, "p", &format!("Contact: {contact}\r\n"), "");
        assert_eq!(
            (bench.statuses(), bench.count(&Method::Invite)),
            (vec![StatusCode::TEMPORARILY_UNAVAILABLE], before),
            "{code} {contact}"
        );
    }
}

#[test]
fn a_phone_hears_that_somebody_else_answered() {
    let answered = |reason: &str| {
        let mut bench = Bench::new();
        bench.register(PHONE, "");
        let invite = bench.request(
            CARRIER,
            "INVITE",
            "sip:+49301234@192.0.2.1",
            "",
            &sdp(20, 5_000, 0),
        );
        let ours = bench.invited(PHONE);
        bench.respond(PHONE, &ours, StatusCode::RINGING, "p", "", "");
        let head = invite.split("\r\nContact:").next().unwrap();
        let cancel = head.replace("INVITE", "CANCEL");
        bench.receive(CARRIER, format!("{cancel}\r\n{reason}Content-Length: 0\r\n\r\n"));
        bench
            .last(&Method::Cancel)
            .expect("a CANCEL")
            .header(HeaderName::Reason)
            .map(str::to_owned)
    };
    let elsewhere = Some("SIP;cause=200;text=\"Call completed elsewhere\"".to_owned());
    assert_eq!(
        answered("Reason: SIP;cause=200;text=\"anything; they=say\"\r\n"),
        elsewhere
    );
    assert_eq!(answered("Reason: Q.850;cause=26\r\n"), elsewhere);
    let normal = Some("Q.850;cause=16".to_owned());
    assert_eq!(answered("Reason: Q.850;cause=16\r\n"), normal);
    assert_eq!(answered(""), None);
}

#[test]
fn a_registered_contact_is_called_by_its_path() {
    let mut bench = Bench::new();
    let path = "Path: <sip:192.0.2.11;lr>, <sip:inner.example;lr>\r\nSupported: path\r\n";
    bench.register(PHONE, path);
    bench.request(
        CARRIER,
        "INVITE",
        "sip:+49301234@192.0.2.1",
        "",
        &sdp(20, 5_000, 0),
    );
    let routes = |message: Message| {
        message
            .headers(HeaderName::Route)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let expected = ["<sip:192.0.2.11;lr>", "<sip:inner.example;lr>"];
    assert_eq!(routes(bench.invited(PHONE)), expected);
    bench.act(|gateway, now| gateway.probe(now, "1001"));
    assert_eq!(
        routes(bench.last(&Method::Options).expect("an OPTIONS")),
        expected
    );
}

#[test]
fn the_offer_says_what_media_a_client_speaks_and_how_it_is_called_from_then_on() {
    let tls = Peer {
        flow: sip_core::flow::Flow {
            id: sip_core::flow::FlowId(9),
            transport: Transport::Tls,
            ..OTHER.flow
        },
        ..OTHER
    };
    let offers_dtls = |bench: &Bench, peer: Peer| {
        let invite = bench.invited(peer);
        String::from_utf8_lossy(invite.body()).contains("UDP/TLS/RTP/SAVPF")
    };
    let mut bench = Bench::new();
    bench.register(tls, "");
    bench.register(PAGE, "Contact: <sip:x@a.invalid;transport=ws>\r\n");
    let ring = |bench: &mut Bench, peer: Peer| {
        bench.request(
            CARRIER,
            "INVITE",
            &format!("sip:{}@192.0.2.1", peer.user),
            "",
            &sdp(20, 5_000, 0),
        );
        offers_dtls(bench, peer)
    };
    assert!(!ring(&mut bench, tls) && ring(&mut bench, PAGE));
    // A softphone with DTLS-SRTP calls over TLS, and a client without it over WebSocket.
    bench.request(tls, "INVITE", "sip:0301234@192.0.2.1", "", &dtls());
    assert!(
        !bench.statuses().contains(&StatusCode::NOT_ACCEPTABLE_HERE),
        "{:?}",
        bench.statuses()
    );
    bench.request(
        PAGE,
        "INVITE",
        "sip:0301234@192.0.2.1",
        "Contact: <sip:x@a.invalid;transport=ws>\r\n",
        &sdp(13, 4_000, 0),
    );
    assert!(ring(&mut bench, tls) && !ring(&mut bench, PAGE));
}

#[test]
fn a_page_that_is_loaded_again_while_it_rings_rings_again() {
    let again = Peer {
        flow: sip_core::flow::Flow {
            id: sip_core::flow::FlowId(8),
            remote: "192.0.2.13:40001".parse().unwrap(),
            ..PAGE.flow
        },
        ..PAGE
    };
    let contact = "Contact: <sip:x@a.invalid;transport=ws>\r\n";
    let mut bench = Bench::new();
    bench.register(PAGE, contact);
    let ring = |bench: &mut Bench| {
        bench.request(CARRIER, "INVITE", "sip:1003@192.0.2.1", "", &sdp(20, 5_000, 0));
        let invite = bench.invited(PAGE);
        bench.respond(PAGE, &invite, StatusCode::RINGING, "p", contact, "");
        bench.close(PAGE.flow);
    };
    ring(&mut bench);
    bench.wait(3);
    assert_eq!(bench.statuses(), [StatusCode::RINGING], "the caller hears no end");
    bench.register(again, contact);
    let invite = bench.invited(again);
    bench.respond(again, &invite, StatusCode::RINGING, "q", contact, "");
    bench.respond(again, &invite, StatusCode::BUSY_HERE, "q", contact, "");
    assert_eq!(
        bench.statuses().last(),
        Some(&StatusCode::BUSY_HERE),
        "it is the page's call"
    );
    // A user who does not come back is not reached.
    let mut bench = Bench::new();
    bench.register(PAGE, contact);
    ring(&mut bench);
    bench.wait(14);
    assert_eq!(bench.statuses(), [StatusCode::RINGING]);
    bench.wait(2);
    assert_eq!(
        bench.statuses(),
        [StatusCode::RINGING, StatusCode::TEMPORARILY_UNAVAILABLE]
    );
    // The page may be back before its old connection is seen to close.
    let mut bench = Bench::new();
    bench.register(PAGE, contact);
    bench.request(CARRIER, "INVITE", "sip:1003@192.0.2.1", "", &sdp(20, 5_000, 0));
    bench.register(again, contact);
    bench.close(PAGE.flow);
    assert_eq!(bench.invited(again).method(), Some(&Method::Invite));
    // A caller who gives up leaves nothing behind.
    let opened = bench
        .commands
        .iter()
        .filter(|command| matches!(command, Command::Open { .. }))
        .count();
    assert_eq!(opened, 3);
}

#[test]
fn a_caller_that_acknowledges_a_reliable_response_hears_early_media_wherever_it_wants_them() {
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    // Its media are at another host than its signalling.
    let lines = "Require: 100rel\r\n";
    bench.request(
        CARRIER,
        "INVITE",
        "sip:+49301234@192.0.2.1",
        lines,
        &sdp(21, 5_000, 0),
    );
    let invite = bench.invited(PHONE);
    bench.respond(
        PHONE,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "p",
        "Require: 100rel\r\nRSeq: 1\r\n",
        &sdp(11, 4_000, 0),
    );
    let progress = bench.last_response().clone();
    assert_eq!(progress.status(), Some(StatusCode::SESSION_PROGRESS));
    let reached = |bench: &Bench| {
        let last = bench.commands.iter().rev().find_map(|command| match command {
            Command::Vouch { leg, reached, .. } if leg.0 < bench.last_leg().0 => Some(*reached),
            _ => None,
        });
        last.expect("the caller is vouched for")
    };
    assert!(!reached(&bench));
    let (rseq, tag) = (
        progress.header(HeaderName::RSeq).unwrap().to_owned(),
        progress.to().tag().unwrap().to_owned(),
    );
    let prack = format!(
        "PRACK sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKprack\r\nMax-Forwards: 70\r\nFrom: {}\r\n\
         To: <sip:+49301234@192.0.2.1>;tag={tag}\r\nCall-ID: {}\r\nCSeq: 2 PRACK\r\nRAck: {rseq} 1 INVITE\r\n\
         Content-Length: 0\r\n\r\n",
        CARRIER.flow.remote,
        progress.header(HeaderName::From).unwrap(),
        progress.call_id()
    );
    bench.receive(CARRIER, prack);
    assert!(reached(&bench));
}

/// Calls of a carrier that merely supports reliable responses.
#[test]
fn early_media_go_reliably_to_a_caller_that_supports_that() {
    use session_core::{Access, Reliability};
    for (policy, reliable) in [
        (Reliability::Supported, true),
        (Reliability::Required, true),
        (Reliability::Off, false),
    ] {
        let mut settings = config();
        if let Access::Directory { trunks, .. } = &mut settings.access {
            let trunk = trunks.get_mut("carrier").unwrap();
            trunk.signalling.reliable = policy;
        }
        let mut bench = Bench::with(settings);
        bench.register(PHONE, "");
        let invite = bench.called_in("Supported: 100rel\r\n");
        bench.respond(
            PHONE,
            &invite,
            StatusCode::SESSION_PROGRESS,
            "p",
            "",
            &sdp(11, 4_000, 0),
        );
        let progress = bench.last_response();
        assert_eq!(progress.status(), Some(StatusCode::SESSION_PROGRESS));
        assert_eq!(progress.rseq().is_some(), reliable, "{policy:?}");
        // Who does not speak it is turned away where it is required.
        bench.request(
            CARRIER,
            "INVITE",
            "sip:+49301234@192.0.2.1",
            "",
            &sdp(20, 5_000, 0),
        );
        let last = bench.last_response();
        let turned_away = last.status() == Some(StatusCode::EXTENSION_REQUIRED);
        assert_eq!(turned_away, policy == Reliability::Required, "{policy:?}");
        assert!(!turned_away || last.lists(HeaderName::Require, "100rel"));
    }
}

/// The 200 may not overtake early media that nobody acknowledged (RFC 3262 §3).
#[test]
fn a_caller_that_gives_up_while_the_answer_waits_was_never_answered() {
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    let text = bench.request(
        CARRIER,
        "INVITE",
        "sip:+49301234@192.0.2.1",
        "Supported: 100rel\r\n",
        &sdp(20, 5_000, 0),
    );
    let invite = bench.invited(PHONE);
    for code in [StatusCode::SESSION_PROGRESS, StatusCode::OK] {
        bench.respond(PHONE, &invite, code, "p", "", &sdp(11, 4_000, 0));
    }
    assert!(!bench.statuses().contains(&StatusCode::OK), "there was no PRACK");
    let head = text.split("Supported").next().unwrap_or_default();
    let cancel = head.replace("INVITE", "CANCEL");
    bench.receive(CARRIER, format!("{cancel}Content-Length: 0\r\n\r\n"));
    assert_eq!(bench.statuses().last(), Some(&StatusCode::REQUEST_TERMINATED));
    let bye = bench.last(&Method::Bye).expect("a BYE to the phone");
    bench.respond(PHONE, &bye, StatusCode::OK, "", "", "");
    bench.wait(40);
    let record = bench.events.iter().find_map(|event| match event {
        session_core::Event::Ended { record, .. } => Some(record.clone()),
        _ => None,
    });
    let record = record.expect("a record");
    assert_eq!(
        (record.answered, record.code),
        (None, StatusCode::REQUEST_TERMINATED)
    );
    assert_eq!(record.legs[0].answered, None);
    assert!(record.legs[1].answered.is_some());
}

/// A re-INVITE of the phone that answered `invite`.
fn reinvite(bench: &mut Bench, invite: &Message, cseq: u32, body: &str) {
    let kind = match body {
        "" => "",
        _ => "Content-Type: application/sdp\r\n",
    };
    let text = format!(
        "INVITE sip:gw@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKre{cseq}\r\nMax-Forwards: 70\r\n\
         From: {};tag=p\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} INVITE\r\nContact: <sip:1001@192.0.2.11>\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        PHONE.flow.remote,
        invite.header(HeaderName::To).unwrap(),
        invite.header(HeaderName::From).unwrap(),
        invite.call_id(),
        body.len()
    );
    bench.receive(PHONE, text);
}

#[test]
fn a_reinvite_is_answered_without_the_other_leg_whatever_it_asks_for() {
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    let leg = bench.last_leg();
    let asked = (bench.count(&Method::Invite), bench.count(&Method::Update));
    // The codec that was relayed is gone from the offer: from now on the shard transcodes.
    reinvite(&mut bench, &invite, 5, &sdp(11, 4_000, 8));
    assert_eq!(bench.last_response().status(), Some(StatusCode::OK));
    let codecs: Vec<u8> = bench.connected(leg).into_iter().map(|(_, codec)| codec).collect();
    assert_eq!(codecs, [0, 8]);
    // No sound is left: refused, and the session stays as it was (RFC 3261 §14.2).
    reinvite(&mut bench, &invite, 6, &sdp(11, 4_000, 13));
    assert_eq!(
        bench.last_response().status(),
        Some(StatusCode::NOT_ACCEPTABLE_HERE)
    );
    assert_eq!(bench.connected(leg).len(), 2);
    // It asks for an offer, and gets all that we can transcode.
    reinvite(&mut bench, &invite, 7, "");
    let offer = bench.last_response();
    assert_eq!(offer.status(), Some(StatusCode::OK));
    let offer = String::from_utf8(offer.body().to_vec()).unwrap();
    let formats = offer.lines().find(|line| line.starts_with("m=audio")).unwrap();
    assert!(
        [" 0", " 8"].iter().all(|codec| formats.contains(codec)),
        "{formats}"
    );
    assert_eq!(
        (bench.count(&Method::Invite), bench.count(&Method::Update)),
        asked,
        "the caller is asked for nothing"
    );
}

#[test]
fn a_reinvite_that_cannot_be_taken_is_refused_with_a_reason_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    let leg = bench.last_leg();
    let before = bench.connected(leg);
    reinvite(&mut bench, &invite, 5, &sdp(11, 4_000, 0).replace("IP4", "IP7"));
    let refusal = bench.last_response();
    assert_eq!(refusal.status(), Some(StatusCode::NOT_ACCEPTABLE_HERE));
    assert!(
        refusal
            .header(HeaderName::Warning)
            .is_some_and(|warning| warning.starts_with("301 "))
    );
    assert_eq!(bench.connected(leg), before);
}

#[test]
fn a_caller_whose_page_was_closed_lets_nobody_go_on_ringing() {
    for page_goes_first in [true, false] {
        let mut bench = Bench::new();
        bench.register(PHONE, "");
        bench.register(PAGE, "");
        bench.request(PAGE, "INVITE", "sip:1001@192.0.2.1", "", &dtls());
        let [caller, _] = bench.opened()[..] else {
            panic!("two legs")
        };
        let invite = bench.invited(PHONE);
        bench.respond(PHONE, &invite, StatusCode::RINGING, "p", "", "");
        let gone = |bench: &mut Bench| {
            bench.act(|gateway, now| {
                let event = MediaEvent::Gone {
                    leg: caller,
                    reason: Failure::Closed,
                };
                gateway.handle_input(now, Input::Media { shard: 0, event });
            });
        };
        // A connection that is lost alone may come back.
        if page_goes_first {
            gone(&mut bench);
        } else {
            bench.close(PAGE.flow);
        }
        assert_eq!(bench.count(&Method::Cancel), 0);
        if page_goes_first {
            bench.close(PAGE.flow);
        } else {
            gone(&mut bench);
        }
        assert_eq!(bench.count(&Method::Cancel), 1, "{page_goes_first}");
    }
}

#[test]
fn a_caller_who_is_away_before_the_answer_is_waited_for_a_few_seconds() {
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    bench.register(PAGE, "");
    bench.request(PAGE, "INVITE", "sip:1001@192.0.2.1", "", &dtls());
    let invite = bench.invited(PHONE);
    bench.respond(PHONE, &invite, StatusCode::RINGING, "p", "", "");
    // Its connection closed, and no audio comes.
    bench.close(PAGE.flow);
    bench.wait(3);
    assert_eq!(bench.count(&Method::Cancel), 0);
    bench.wait(2);
    assert!(bench.count(&Method::Cancel) > 0);
}
