//! Watching (RFC 6665): who may watch whom, what busy lamps are told (RFC 4235), and picking up what rings.

mod document;
mod mailbox;
mod presence;

use media_core::control::Command;
use session_core::{Config, Event, Package, Reason};
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use crate::carried::bench::{Bench, CARRIER, OTHER, PAGE, PHONE, Peer, config, sdp};
use document::Element;

pub(crate) fn with_packages() -> Config {
    let mut config = config();
    config.endpoint.allow.push(Method::Publish);
    config.endpoint.event_packages = Package::ALL.map(|package| package.name().to_owned()).to_vec();
    config
}

const WANTS: &str = "Event: dialog\r\nExpires: 600\r\nAccept: application/dialog-info+xml\r\n";

fn bench() -> Bench {
    let mut bench = Bench::with(with_packages());
    for peer in [PHONE, OTHER] {
        bench.register(peer, "");
    }
    bench
}

/// 1002 watches 1001; the first NOTIFY.
fn watched() -> (Bench, Element) {
    let mut bench = bench();
    let code = bench.authenticated(OTHER, "SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, "");
    assert_eq!(code, StatusCode::OK);
    let first = told(&mut bench, OTHER);
    (bench, first)
}

/// The document of the last NOTIFY, which its watcher answers.
fn told(bench: &mut Bench, peer: Peer) -> Element {
    let notify = bench.last(&Method::Notify).expect("a NOTIFY");
    bench.respond(peer, &notify, StatusCode::OK, "", "", "");
    document::parse(std::str::from_utf8(notify.body()).expect("text"))
}

/// A second later: intervals are over.
fn news(bench: &mut Bench) -> Element {
    let before = bench.count(&Method::Notify);
    bench.wait(1);
    assert_eq!(bench.count(&Method::Notify), before + 1, "one NOTIFY");
    told(bench, OTHER)
}

fn state(bench: &Bench) -> String {
    let notify = bench.last(&Method::Notify).expect("a NOTIFY");
    let state = notify.header(HeaderName::SubscriptionState);
    state.unwrap_or_default().to_owned()
}

fn ok_of(bench: &Bench) -> &Message {
    bench.last_response()
}

#[test]
fn a_lamp_follows_a_call_from_its_first_ring_to_its_end() {
    let (mut bench, first) = watched();
    assert_eq!(ok_of(&bench).header(HeaderName::Expires), Some("600"));
    first.is_dialog_info("full", 0, "sip:1001@192.0.2.1");
    assert!(first.children.is_empty(), "nothing goes on: {first:?}");

    let invite = bench.called_in("");
    bench.wait(1);
    let trying = told(&mut bench, OTHER);
    trying.is_dialog_info("partial", 1, "sip:1001@192.0.2.1");
    let dialog = trying.one("dialog");
    assert_eq!(dialog.one("state").text, "trying");
    assert_eq!(dialog.attribute("call-id"), None, "nobody could pick it up yet");

    bench.respond(PHONE, &invite, StatusCode::RINGING, "p", "", "");
    let early = news(&mut bench);
    early.is_dialog_info("partial", 2, "sip:1001@192.0.2.1");
    let dialog = early.one("dialog");
    assert_eq!(
        (
            dialog.one("state").text.as_str(),
            dialog.attribute("direction"),
            dialog.attribute("call-id"),
            dialog.attribute("local-tag")
        ),
        ("early", Some("recipient"), Some(invite.call_id()), Some("p"))
    );
    let ours = invite.from().tag().expect("a tag");
    assert_ne!(
        dialog.attribute("remote-tag"),
        Some(ours),
        "that would be good for ever"
    );
    assert_eq!(dialog.one("remote").one("identity").text, "sip:carrier@192.0.2.1");
    assert_eq!(dialog.one("local").one("identity").text, "sip:1001@192.0.2.1");

    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    let confirmed = news(&mut bench);
    let dialog = confirmed.one("dialog");
    assert_eq!(
        (dialog.one("state").text.as_str(), dialog.attribute("remote-tag")),
        ("confirmed", None)
    );
    assert_eq!(
        dialog.one("local").one("target").one("param").attribute("pvalue"),
        Some("yes")
    );

    bench.act(|gateway, now| {
        let session = gateway.sessions().next().expect("a call");
        gateway.terminate_session(now, session);
    });
    let over = news(&mut bench);
    assert_eq!(over.one("dialog").one("state").text, "terminated");
    let before = bench.count(&Method::Notify);
    bench.wait(40);
    assert_eq!(bench.count(&Method::Notify), before, "nothing more is said");
}

#[test]
fn changes_that_follow_each_other_are_told_as_one() {
    let (mut bench, _) = watched();
    let before = bench.count(&Method::Notify);
    // The watcher's last NOTIFY was less than a second ago.
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::RINGING, "p", "", "");
    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    assert_eq!(bench.count(&Method::Notify), before);
    let document = news(&mut bench);
    document.is_dialog_info("partial", 1, "sip:1001@192.0.2.1");
    assert_eq!(document.one("dialog").one("state").text, "confirmed");
}

#[test]
fn the_caller_s_lamp_is_lit_as_well_and_says_whom_it_calls() {
    let (mut bench, _) = watched();
    bench.wait(1);
    bench.authenticated(PHONE, "INVITE", "sip:0301234@192.0.2.1", "", &sdp(11, 4_000, 0));
    let document = told(&mut bench, OTHER);
    let dialog = document.one("dialog");
    assert_eq!(
        (
            dialog.attribute("direction"),
            dialog.one("remote").one("identity").text.as_str()
        ),
        (Some("initiator"), "sip:0301234@192.0.2.1")
    );
}

#[test]
fn whoever_asks_again_is_told_everything() {
    let (mut bench, _) = watched();
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::RINGING, "p", "", "");
    news(&mut bench);
    let notify = bench.last(&Method::Notify).expect("a NOTIFY");
    let (from, to) = (
        notify.header(HeaderName::From).unwrap_or_default().to_owned(),
        notify.header(HeaderName::To).unwrap_or_default().to_owned(),
    );
    let again = |bench: &mut Bench, cseq: u32, expires: u32| {
        let text = format!(
            "SUBSCRIBE sip:1001@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKagain{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: {to}\r\nTo: {from}\r\nCall-ID: {}\r\nCSeq: {cseq} SUBSCRIBE\r\nContact: <sip:1002@{}>\r\nEvent: dialog\r\n\
             Expires: {expires}\r\nContent-Length: 0\r\n\r\n",
            OTHER.flow.remote,
            notify.call_id(),
            OTHER.flow.remote
        );
        bench.receive(OTHER, text);
    };
    again(&mut bench, 7, 300);
    let full = told(&mut bench, OTHER);
    full.is_dialog_info("full", 2, "sip:1001@192.0.2.1");
    assert_eq!(full.one("dialog").one("state").text, "early");
    again(&mut bench, 8, 0);
    told(&mut bench, OTHER).is_dialog_info("full", 3, "sip:1001@192.0.2.1");
    assert_eq!(state(&bench), "terminated;reason=timeout");
    let watches = bench.act(|gateway, _| gateway.stats().watches);
    assert_eq!(watches.each().map(|(_, number)| number).sum::<usize>(), 0);
}

#[test]
fn a_single_look_leaves_nothing() {
    let mut bench = bench();
    let lines = WANTS.replace("600", "0");
    let code = bench.authenticated(OTHER, "SUBSCRIBE", "sip:1001@192.0.2.1", &lines, "");
    assert_eq!(code, StatusCode::OK);
    assert_eq!(state(&bench), "terminated;reason=timeout");
    told(&mut bench, OTHER).is_dialog_info("full", 0, "sip:1001@192.0.2.1");
    bench.called_in("");
    bench.wait(2);
    assert_eq!(bench.count(&Method::Notify), 1);
}

#[test]
fn users_watch_users_and_a_trunk_only_if_it_may() {
    let mut bench = bench();
    assert_eq!(
        bench.authenticated(OTHER, "SUBSCRIBE", "sip:nobody@192.0.2.1", WANTS, ""),
        StatusCode::NOT_FOUND
    );
    let foreign = bench.authenticated(OTHER, "SUBSCRIBE", "sip:1001@elsewhere.example", WANTS, "");
    assert_eq!(foreign, StatusCode::NOT_FOUND);
    let deaf = WANTS.replace("dialog-info+xml", "x");
    assert_eq!(
        bench.authenticated(OTHER, "SUBSCRIBE", "sip:1001@192.0.2.1", &deaf, ""),
        StatusCode::NOT_ACCEPTABLE
    );
    bench.request(CARRIER, "SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, "");
    assert_eq!(bench.last_response().status(), Some(StatusCode::FORBIDDEN));
    assert!(
        bench
            .events
            .iter()
            .any(|event| matches!(event, Event::Refused(refusal) if refusal.reason == Reason::MayNotWatch))
    );
    assert_eq!(bench.count(&Method::Notify), 0);

    let mut config = with_packages();
    if let session_core::Access::Directory { trunks, .. } = &mut config.access {
        trunks.get_mut("carrier").expect("a trunk").watches = true;
    }
    let mut bench = Bench::with(config);
    bench.request(CARRIER, "SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, "");
    assert_eq!(bench.last_response().status(), Some(StatusCode::OK));
    assert_eq!(bench.count(&Method::Notify), 1);
}

#[test]
fn what_is_watched_ends_with_the_right_to_watch() {
    let users = || match config().access {
        session_core::Access::Directory { users, .. } => users,
        session_core::Access::Anyone(_) => panic!("a directory"),
    };
    // The watcher has another password.
    let (mut bench, _) = watched();
    bench.act(|gateway, now| {
        let mut users = users();
        users.get_mut("1002").expect("a user").password = "other".into();
        gateway.set_users(now, users);
    });
    assert_eq!(state(&bench), "terminated;reason=rejected");
    // Whoever is watched exists no more.
    let (mut bench, _) = watched();
    bench.act(|gateway, now| {
        let mut users = users();
        users.remove("1001");
        gateway.set_users(now, users);
    });
    assert_eq!(state(&bench), "terminated;reason=noresource");
    bench.wait(40);
    let stats = bench.act(|gateway, _| gateway.stats());
    assert_eq!(stats.endpoint.subscriptions, 0);
}

/// `Replaces` as a phone makes it of a dialog that it was told, with the tags from the side of the one that rings, or from ours.
fn replaces(dialog: &Element, is_ours: bool, more: &str) -> String {
    let name = |name: &str| dialog.attribute(name).expect("a name of the dialog").to_owned();
    let (to, from) = match is_ours {
        true => (name("remote-tag"), name("local-tag")),
        false => (name("local-tag"), name("remote-tag")),
    };
    format!(
        "Replaces: {};to-tag={to};from-tag={from}{more}\r\n",
        name("call-id")
    )
}

#[test]
fn a_phone_that_watches_picks_a_ringing_call_up() {
    for is_ours in [true, false] {
        let (mut bench, _) = watched();
        let invite = bench.called_in("");
        bench.respond(PHONE, &invite, StatusCode::RINGING, "p", "", "");
        let document = news(&mut bench);
        let lines = format!(
            "Require: replaces\r\n{}",
            replaces(document.one("dialog"), is_ours, ";early-only")
        );
        let code = bench.authenticated(OTHER, "INVITE", "sip:1001@192.0.2.1", &lines, &sdp(12, 6_000, 0));
        assert_eq!(code, StatusCode::OK);
        let cancel = bench.last(&Method::Cancel).expect("the phone rings no more");
        assert_eq!(cancel.call_id(), invite.call_id());
        let taken = bench.last_leg();
        let members = bench.commands.iter().rev().find_map(|command| match command {
            Command::Bridge { members, .. } => Some(members.iter().map(|m| m.leg).collect::<Vec<_>>()),
            _ => None,
        });
        assert!(members.is_some_and(|members| members.contains(&taken)));
        let over = news(&mut bench);
        assert_eq!(over.one("dialog").one("state").text, "terminated");
    }
}

#[test]
fn who_saw_a_call_ring_cannot_take_it_over_once_it_is_answered() {
    let (mut bench, _) = watched();
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::RINGING, "p", "", "");
    let document = news(&mut bench);
    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    for is_ours in [true, false] {
        let lines = replaces(document.one("dialog"), is_ours, "");
        let code = bench.authenticated(OTHER, "INVITE", "sip:1001@192.0.2.1", &lines, &sdp(12, 6_000, 0));
        assert!(
            matches!(code, StatusCode::CALL_DOES_NOT_EXIST | StatusCode::BUSY_HERE),
            "{code}"
        );
    }
    assert_eq!(bench.count(&Method::Bye), 0);
    // Names that were never given are of no use either.
    let forged = "Replaces: x;to-tag=p;from-tag=q\r\n";
    let code = bench.authenticated(OTHER, "INVITE", "sip:1001@192.0.2.1", forged, &sdp(12, 6_000, 0));
    assert_eq!(code, StatusCode::CALL_DOES_NOT_EXIST);
}

#[test]
fn a_page_watches_over_its_connection_and_is_forgotten_with_it() {
    let mut bench = bench();
    bench.register(PAGE, "");
    // It registered over this connection: no further challenge.
    bench.request(PAGE, "SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, "");
    assert_eq!(bench.last_response().status(), Some(StatusCode::OK));
    told(&mut bench, PAGE);
    bench.wait(1);
    bench.called_in("");
    assert_eq!(bench.count(&Method::Notify), 2);
    bench.close(PAGE.flow);
    let stats = bench.act(|gateway, _| gateway.stats());
    assert_eq!(
        stats.endpoint.subscriptions, 0,
        "the NOTIFY under way found nobody"
    );
}

#[test]
fn a_lamp_shows_the_call_that_is_put_at_a_place() {
    let mut bench = bench();
    let code = bench.authenticated(OTHER, "SUBSCRIBE", "sip:701@192.0.2.1", WANTS, "");
    assert_eq!(code, StatusCode::OK);
    let first = told(&mut bench, OTHER);
    first.is_dialog_info("full", 0, "sip:701@192.0.2.1");
    assert!(first.children.is_empty(), "nobody is there: {first:?}");
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    let leg = bench.last_leg();
    bench.act(|gateway, _| gateway.show_at("701", Some(leg)));
    let there = news(&mut bench);
    let dialog = there.one("dialog");
    assert_eq!(dialog.one("state").text, "confirmed");
    assert_eq!(dialog.one("remote").one("identity").text, "sip:1001@192.0.2.1");
    assert_eq!(dialog.attribute("call-id"), None, "it is taken by its number");
    bench.act(|gateway, _| gateway.show_at("701", None));
    assert_eq!(news(&mut bench).one("dialog").one("state").text, "terminated");
    let presence = "Event: presence\r\nExpires: 600\r\n";
    let code = bench.authenticated(OTHER, "SUBSCRIBE", "sip:701@192.0.2.1", presence, "");
    assert_eq!(code, StatusCode::NOT_FOUND);
}
