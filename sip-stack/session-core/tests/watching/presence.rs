//! Presence (RFC 3856), what phones publish of it (RFC 3903), and registrations (RFC 3680).

use std::collections::BTreeSet;

use session_core::{Access, Activity};
use sip_core::message::{HeaderName, Method, StatusCode};

use super::document::Element;
use super::{bench, told};
use crate::carried::bench::{Bench, OTHER, PHONE, config, sdp};

const WANTS: &str = "Event: presence\r\nExpires: 3600\r\nAccept: application/pidf+xml\r\n";

/// 1002 watches 1001.
fn watched() -> (Bench, Element) {
    let mut bench = bench();
    let code = bench.authenticated(OTHER, "SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, "");
    assert_eq!(code, StatusCode::OK);
    let first = told(&mut bench, OTHER);
    (bench, first)
}

/// Basic status, activities and note of a document.
type Says = (String, Vec<String>, String);

fn says(document: &Element) -> Says {
    assert_eq!(document.name, "presence");
    assert_eq!(document.attribute("xmlns"), Some("urn:ietf:params:xml:ns:pidf"));
    assert_eq!(document.attribute("entity"), Some("sip:1001@192.0.2.1"));
    let tuple = document.one("tuple");
    assert!(tuple.attribute("id").is_some());
    let person = document.children.iter().find(|child| child.name == "dm:person");
    let activities = person.map(|person| {
        let activities = person.one("rpid:activities").children.iter();
        activities.map(|activity| activity.name.clone()).collect()
    });
    let note = tuple.children.iter().find(|child| child.name == "note");
    (
        tuple.one("status").one("basic").text.clone(),
        activities.unwrap_or_default(),
        note.map(|note| note.text.clone()).unwrap_or_default(),
    )
}

fn is(basic: &str, activities: &[&str], note: &str) -> Says {
    let activities = activities
        .iter()
        .map(|activity| format!("rpid:{activity}"))
        .collect();
    (basic.to_owned(), activities, note.to_owned())
}

/// NOTIFYs so far, without copies.
fn notifies(bench: &Bench) -> usize {
    let all = bench
        .sent
        .iter()
        .filter(|(_, message)| message.is(&Method::Notify));
    let names: BTreeSet<_> = all
        .map(|(_, message)| (message.call_id().to_owned(), message.cseq().number))
        .collect();
    names.len()
}

/// Does something; the one NOTIFY that follows within two seconds says what is returned.
fn news_of<T>(bench: &mut Bench, act: impl FnOnce(&mut Bench) -> T) -> (T, Says) {
    let before = notifies(bench);
    let result = act(bench);
    bench.wait(2);
    assert_eq!(notifies(bench), before + 1, "one NOTIFY");
    let document = told(bench, OTHER);
    (result, says(&document))
}

fn away(note: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><p:presence xmlns:p=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:1001@192.0.2.1\"><p:tuple id=\"x\">\
         <p:status><p:basic>open</p:basic></p:status><p:note>{note}</p:note></p:tuple><d:person id=\"y\"><r:activities><r:away/>\
         </r:activities></d:person></p:presence>"
    )
}

/// 1001 publishes; the entity tag that it gets, if any.
fn publish(bench: &mut Bench, lines: &str, body: &str) -> (StatusCode, Option<String>) {
    let kind = match body {
        "" => "",
        _ => "Content-Type: application/pidf+xml\r\n",
    };
    let lines = format!("Event: presence\r\n{kind}{lines}");
    let code = bench.authenticated(PHONE, "PUBLISH", "sip:1001@192.0.2.1", &lines, body);
    let tag = bench.last_response().header(HeaderName::SipEtag);
    (code, tag.map(str::to_owned))
}

/// Status of a PUBLISH whose answers a NOTIFY may follow.
fn published(bench: &mut Bench, lines: &str, body: &str) -> String {
    let (code, tag) = publish(bench, lines, body);
    assert_eq!(code, StatusCode::OK);
    tag.expect("an entity tag")
}

#[test]
fn who_is_registered_can_be_reached_and_who_talks_is_on_the_phone() {
    let (mut bench, first) = watched();
    assert_eq!(says(&first), is("open", &[], ""));
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::RINGING, "p", "", "");
    bench.wait(2);
    assert_eq!(notifies(&bench), 1, "ringing is nothing yet");
    let (_, talking) = news_of(&mut bench, |bench| {
        bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    });
    assert_eq!(talking, is("open", &["on-the-phone"], ""));
    let (_, over) = news_of(&mut bench, |bench| {
        bench.act(|gateway, now| {
            let session = gateway.sessions().next().expect("a call");
            gateway.terminate_session(now, session);
        });
    });
    assert_eq!(over, is("open", &[], ""));
    let (_, gone) = news_of(&mut bench, |bench| {
        let lines = "To: <sip:1001@192.0.2.1>\r\nContact: *\r\nExpires: 0\r\n";
        bench.authenticated(PHONE, "REGISTER", "sip:192.0.2.1", lines, "")
    });
    assert_eq!(gone, is("closed", &[], ""));
}

#[test]
fn an_agent_who_pauses_is_away() {
    let (mut bench, _) = watched();
    let (_, paused) = news_of(&mut bench, |bench| {
        bench.act(|gateway, _| gateway.set_activity("1001", Some(Activity::Away)));
    });
    assert_eq!(paused, is("open", &["away"], ""));
    let (_, back) = news_of(&mut bench, |bench| {
        bench.act(|gateway, _| gateway.set_activity("1001", None));
    });
    assert_eq!(back, is("open", &[], ""));
}

#[test]
fn what_is_published_last_counts_until_it_is_removed() {
    let (mut bench, _) = watched();
    let (one, says) = news_of(&mut bench, |bench| {
        published(bench, "Expires: 600\r\n", &away("lunch &amp; nap"))
    });
    assert_eq!(says, is("open", &["away"], "lunch & nap"));
    let (two, says) = news_of(&mut bench, |bench| published(bench, "", &away("two")));
    assert_eq!(says, is("open", &["away"], "two"));
    assert_ne!(one, two);
    // A refresh is no news, and gives another tag; the one before is worth nothing from then on.
    let before = notifies(&bench);
    let refreshed = published(&mut bench, &format!("SIP-If-Match: {two}\r\n"), "");
    bench.wait(2);
    assert_eq!(notifies(&bench), before);
    let stale = format!("SIP-If-Match: {two}\r\n");
    assert_eq!(
        publish(&mut bench, &stale, "").0,
        StatusCode::CONDITIONAL_REQUEST_FAILED
    );
    // The first one, changed, is the last that was written.
    let with = |tag: &str, more: &str| format!("SIP-If-Match: {tag}\r\n{more}");
    let (changed, says) = news_of(&mut bench, |bench| {
        published(bench, &with(&one, ""), &away("three"))
    });
    assert_eq!(says, is("open", &["away"], "three"));
    let (_, says) = news_of(&mut bench, |bench| {
        published(bench, &with(&changed, "Expires: 0\r\n"), "")
    });
    assert_eq!(says, is("open", &["away"], "two"));
    let (_, says) = news_of(&mut bench, |bench| {
        published(bench, &with(&refreshed, "Expires: 0\r\n"), "")
    });
    assert_eq!(says, is("open", &[], ""));
}

#[test]
fn what_nobody_refreshes_is_over_in_time_and_ends_with_its_user() {
    let (mut bench, _) = watched();
    let (_, says) = news_of(&mut bench, |bench| {
        published(bench, "Expires: 60\r\n", &away("x"))
    });
    assert_eq!(says, is("open", &["away"], "x"));
    let before = notifies(&bench);
    bench.wait(57);
    assert_eq!(notifies(&bench), before);
    let (_, says) = news_of(&mut bench, |_| {});
    assert_eq!(says, is("open", &[], ""));
    let (_, says) = news_of(&mut bench, |bench| published(bench, "", &away("y")));
    assert_eq!(says, is("open", &["away"], "y"));
    let (_, says) = news_of(&mut bench, |bench| {
        bench.act(|gateway, now| {
            let Access::Directory { mut users, .. } = config().access else {
                panic!("a directory")
            };
            users.get_mut("1001").expect("a user").password = "other".into();
            gateway.set_users(now, users);
        });
    });
    assert_eq!(says, is("closed", &[], ""));
}

#[test]
fn what_cannot_be_published_is_refused_with_the_reason() {
    let mut bench = bench();
    let whole = away("x");
    for (lines, body, expected) in [
        ("Expires: 59\r\n", whole.as_str(), StatusCode::INTERVAL_TOO_BRIEF),
        ("", "", StatusCode::BAD_REQUEST),
        ("", "<presence>", StatusCode::BAD_REQUEST),
        (
            "SIP-If-Match: nothing\r\n",
            "",
            StatusCode::CONDITIONAL_REQUEST_FAILED,
        ),
    ] {
        assert_eq!(publish(&mut bench, lines, body).0, expected, "{lines}{body}");
    }
    let long = away(&"x".repeat(20_000));
    assert_eq!(
        publish(&mut bench, "", &long).0,
        StatusCode::REQUEST_ENTITY_TOO_LARGE
    );
    let of =
        |bench: &mut Bench, uri: &str, lines: &str| bench.authenticated(PHONE, "PUBLISH", uri, lines, "x");
    let event = "Event: presence\r\nContent-Type: text/plain\r\n";
    assert_eq!(
        of(&mut bench, "sip:1001@192.0.2.1", event),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    assert_eq!(of(&mut bench, "sip:1002@192.0.2.1", event), StatusCode::FORBIDDEN);
    bench.request(PHONE, "PUBLISH", "sip:1001@192.0.2.1", "Event: dialog\r\n", "x");
    let refused = bench.last_response();
    assert_eq!(
        (refused.status(), refused.header(HeaderName::AllowEvents)),
        (Some(StatusCode::BAD_EVENT), Some("presence"))
    );
    for number in 0..11 {
        let (code, _) = publish(&mut bench, "", &whole);
        let expected = match number {
            10 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        };
        assert_eq!(code, expected, "{number}");
    }
}

#[test]
fn a_user_watches_its_own_registrations_and_nobody_else_s() {
    let mut bench = bench();
    let wants = "Event: reg\r\nExpires: 600\r\n";
    assert_eq!(
        bench.authenticated(OTHER, "SUBSCRIBE", "sip:1001@192.0.2.1", wants, ""),
        StatusCode::FORBIDDEN
    );
    let code = bench.authenticated(OTHER, "SUBSCRIBE", "sip:1002@192.0.2.1", wants, "");
    assert_eq!(code, StatusCode::OK);
    let first = told(&mut bench, OTHER);
    assert_eq!(
        (
            first.name.as_str(),
            first.attribute("version"),
            first.attribute("state")
        ),
        ("reginfo", Some("0"), Some("full"))
    );
    let registration = first.one("registration");
    assert_eq!(
        (registration.attribute("aor"), registration.attribute("state")),
        (Some("sip:1002@192.0.2.1"), Some("active"))
    );
    let contact = registration.one("contact");
    assert_eq!(contact.one("uri").text, "sip:1002@192.0.2.12:5060");
    assert_eq!(
        (contact.attribute("state"), contact.attribute("expires")),
        (Some("active"), Some("3600"))
    );
    bench.wait(2);
    // A refresh is no news.
    bench.register(OTHER, "");
    bench.wait(2);
    assert_eq!(notifies(&bench), 1);
    let lines = "To: <sip:1002@192.0.2.1>\r\nContact: *\r\nExpires: 0\r\n";
    bench.authenticated(OTHER, "REGISTER", "sip:192.0.2.1", lines, "");
    let over = told(&mut bench, OTHER);
    let registration = over.one("registration");
    assert_eq!(
        (over.attribute("version"), registration.attribute("state")),
        (Some("1"), Some("terminated"))
    );
    assert_eq!(
        registration.one("contact").attribute("event"),
        Some("unregistered")
    );
}
