use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sans_io::Time;

use super::{Config, Effect, Event, RegisterOutcome, Registrar};
use crate::flow::{Flow, FlowId, Transport};
use crate::message::{Message, StatusCode};

const NOW: Time = Time::from_secs(1_000_000);

fn flow(id: u64) -> Flow {
    Flow {
        id: FlowId(id),
        transport: Transport::Ws,
        local: SocketAddr::from(([127, 0, 0, 1], 8080)),
        remote: SocketAddr::from(([127, 0, 0, 1], 40_000 + id as u16)),
    }
}

fn register(call_id: &str, cseq: u32, lines: &str) -> Message {
    let text = format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKasudf{cseq}\r\n\
         Max-Forwards: 69\r\nFrom: <sip:1001@example.com>;tag=9\r\nTo: <sip:1001@example.com>\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n{lines}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

fn contacts(outcome: &RegisterOutcome) -> Vec<&str> {
    assert_eq!(outcome.code, StatusCode::OK);
    outcome
        .headers
        .iter()
        .map(|(name, value)| (name == "Contact").then_some(value.as_str()).unwrap())
        .collect()
}

/// As JsSIP 3.13 writes it.
const JSSIP: &str = "<sip:k3o9lrfu@k0u5qe8dq2bo.invalid;transport=ws>;+sip.ice;reg-id=1;\
                     +sip.instance=\"<urn:uuid:95f0e2e1-1111-4c1b-a4ee-c2d2b9e8a1f5>\";expires=600";
/// As SIP.js 0.21 writes it.
const SIPJS: &str = "<sip:ogi4i8ci@192.0.2.181;transport=ws>;expires=600";

#[test]
fn contacts_come_back_verbatim_with_expires() {
    let mut registrar = Registrar::new(Config::default());
    let outcome = registrar.register(
        NOW,
        "1001",
        &register("a", 1, &format!("Contact: {JSSIP}\r\n")),
        flow(1),
    );
    assert_eq!(contacts(&outcome), [JSSIP]);
    let outcome = registrar.register(
        NOW + Duration::from_secs(100),
        "1001",
        &register(
            "b",
            1,
            &format!("Contact: {SIPJS}, sip:7@[2001:db8::1]:5070;q=0.2\r\nExpires: 120\r\n"),
        ),
        flow(2),
    );
    let jssip_later = JSSIP.replace("expires=600", "expires=500");
    assert_eq!(
        contacts(&outcome),
        [
            SIPJS,
            jssip_later.as_str(),
            "sip:7@[2001:db8::1]:5070;q=0.2;expires=120"
        ]
    );
    let flows: Vec<u64> = registrar
        .lookup("1001")
        .map(|binding| binding.flow.id.0)
        .collect();
    assert_eq!(flows, [2, 1, 2], "by q, then the latest first");
    assert_eq!(registrar.lookup("1002").count(), 0);
}

#[test]
fn expires_is_replaced_behind_tricky_parameters_too() {
    let mut registrar = Registrar::new(Config::default());
    let tricky =
        "\"a;expires=1\" <sip:x@y;expires=2?Route=%3Csip:z%3E> ; p=\";expires=3\" ; EXPIRES=99;q=1.0";
    let outcome = registrar.register(
        NOW,
        "u",
        &register("a", 1, &format!("Contact: {tricky}\r\n")),
        flow(1),
    );
    let echoed = contacts(&outcome)[0];
    let again = crate::message::Contact::parse(echoed).unwrap();
    assert_eq!(again.expires(), Some(99), "{echoed}");
    assert!(
        echoed.starts_with("\"a;expires=1\" <sip:x@y;expires=2?Route=%3Csip:z%3E>"),
        "{echoed}"
    );
    assert_eq!(again.address().unwrap().param("p"), Some(";expires=3"));
    assert_eq!(echoed.matches("99").count(), 1, "{echoed}");
}

#[test]
fn instance_and_reg_id_replace_a_binding_whatever_its_uri() {
    let mut registrar = Registrar::new(Config::default());
    registrar.register(
        NOW,
        "1001",
        &register("a", 1, &format!("Contact: {JSSIP}\r\n")),
        flow(1),
    );
    let moved = JSSIP.replace("k0u5qe8dq2bo", "another");
    registrar.register(
        NOW,
        "1001",
        &register("b", 1, &format!("Contact: {moved}\r\n")),
        flow(2),
    );
    assert_eq!(
        registrar.lookup("1001").map(|b| b.flow.id.0).collect::<Vec<_>>(),
        [2]
    );
    // Another reg-id is another flow of the same instance; another instance is another tab.
    let second = moved.replace("reg-id=1", "reg-id=2");
    registrar.register(
        NOW,
        "1001",
        &register("b", 2, &format!("Contact: {second}\r\n")),
        flow(3),
    );
    let tab = JSSIP.replace("95f0e2e1", "00000000");
    registrar.register(
        NOW,
        "1001",
        &register("c", 1, &format!("Contact: {tab}\r\n")),
        flow(4),
    );
    assert_eq!(
        registrar.lookup("1001").map(|b| b.flow.id.0).collect::<Vec<_>>(),
        [4, 3, 2]
    );
}

#[test]
fn a_dead_flow_takes_its_contacts_along() {
    let mut registrar = Registrar::new(Config::default());
    registrar.register(
        NOW,
        "1001",
        &register("a", 1, &format!("Contact: {JSSIP}\r\n")),
        flow(1),
    );
    registrar.register(
        NOW,
        "1001",
        &register("b", 1, &format!("Contact: {SIPJS}\r\n")),
        flow(2),
    );
    registrar.flow_closed(FlowId(1));
    assert_eq!(
        registrar.lookup("1001").map(|b| b.flow.id.0).collect::<Vec<_>>(),
        [2]
    );
    registrar.flow_closed(FlowId(2));
    registrar.flow_closed(FlowId(2));
    assert!(registrar.is_empty() && !registrar.is_reachable("1001") && registrar.poll_timeout().is_none());
    let events: Vec<Event> = std::iter::from_fn(|| registrar.poll_event()).collect();
    let user = || "1001".to_owned();
    assert_eq!(
        events,
        [
            Event::Reachable { user: user() },
            Event::Moved {
                user: user(),
                flow: flow(1)
            },
            Event::Moved {
                user: user(),
                flow: flow(2)
            },
            Event::Unreachable { user: user() },
        ]
    );
}

#[test]
fn bindings_end_at_their_deadline_and_refreshing_moves_it() {
    let mut registrar = Registrar::new(Config::default());
    let line = format!("Contact: {SIPJS}\r\n");
    registrar.register(NOW, "1001", &register("a", 1, &line), flow(1));
    let later = NOW + Duration::from_secs(500);
    registrar.register(later, "1001", &register("a", 2, &line), flow(1));
    assert_eq!(
        registrar.poll_timeout(),
        Some((later + Duration::from_secs(600), "registration expires"))
    );
    registrar.handle_timeout(NOW + Duration::from_secs(700));
    assert!(registrar.is_reachable("1001"));
    registrar.handle_timeout(later + Duration::from_secs(600));
    assert!(!registrar.is_reachable("1001") && registrar.poll_timeout().is_none());
}

#[test]
fn too_brief_is_423_and_changes_nothing() {
    let mut registrar = Registrar::new(Config::default());
    let lines = format!("Contact: {SIPJS}\r\nContact: <sip:b@b>;expires=5\r\n");
    let outcome = registrar.register(NOW, "1001", &register("a", 1, &lines), flow(1));
    assert_eq!(
        (outcome.code, outcome.headers),
        (
            StatusCode::INTERVAL_TOO_BRIEF,
            vec![("Min-Expires".into(), "60".into())]
        )
    );
    assert!(registrar.is_empty());
    let long = registrar.register(
        NOW,
        "1001",
        &register("a", 2, "Contact: <sip:b@b>;expires=99999999\r\n"),
        flow(1),
    );
    assert_eq!(contacts(&long), ["<sip:b@b>;expires=7200"]);
    let silent = registrar.register(NOW, "1001", &register("a", 3, "Contact: <sip:b@b>\r\n"), flow(1));
    assert_eq!(contacts(&silent), ["<sip:b@b>;expires=3600"]);
}

#[test]
fn unregistering_one_and_all() {
    let mut registrar = Registrar::new(Config::default());
    let both = format!("Contact: {SIPJS}\r\nContact: {JSSIP}\r\n");
    registrar.register(NOW, "1001", &register("a", 1, &both), flow(1));
    let gone = SIPJS.replace("expires=600", "expires=0");
    let outcome = registrar.register(
        NOW,
        "1001",
        &register("a", 2, &format!("Contact: {gone}\r\n")),
        flow(1),
    );
    assert_eq!(contacts(&outcome), [JSSIP]);
    assert_eq!(
        registrar
            .register(NOW, "1001", &register("a", 3, "Contact: *\r\n"), flow(1))
            .code,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        registrar
            .register(
                NOW,
                "1001",
                &register("a", 3, "Contact: *\r\nExpires: 5\r\n"),
                flow(1)
            )
            .code,
        StatusCode::BAD_REQUEST
    );
    let mixed = format!("Contact: *\r\nContact: {SIPJS}\r\nExpires: 0\r\n");
    assert_eq!(
        registrar
            .register(NOW, "1001", &register("a", 3, &mixed), flow(1))
            .code,
        StatusCode::BAD_REQUEST
    );
    let all = registrar.register(
        NOW,
        "1001",
        &register("a", 3, "Contact: *\r\nExpires: 0\r\n"),
        flow(1),
    );
    assert!(contacts(&all).is_empty() && registrar.is_empty());
}

#[test]
fn fetching_changes_nothing() {
    let mut registrar = Registrar::new(Config::default());
    registrar.register(
        NOW,
        "1001",
        &register("a", 1, &format!("Contact: {SIPJS}\r\n")),
        flow(1),
    );
    let outcome = registrar.register(NOW, "1001", &register("a", 2, ""), flow(9));
    assert_eq!(contacts(&outcome), [SIPJS]);
    assert_eq!(registrar.lookup("1001").next().unwrap().flow, flow(1));
}

#[test]
fn a_late_copy_of_an_older_register_changes_nothing() {
    let mut registrar = Registrar::new(Config::default());
    let line = format!("Contact: {SIPJS}\r\n");
    let gone = line.replace("expires=600", "expires=0");
    registrar.register(NOW, "1001", &register("a", 5, &line), flow(1));
    assert_eq!(
        registrar
            .register(NOW, "1001", &register("a", 4, &gone), flow(1))
            .code,
        StatusCode::SERVER_INTERNAL_ERROR
    );
    assert_eq!(
        registrar
            .register(
                NOW,
                "1001",
                &register("a", 4, "Contact: *\r\nExpires: 0\r\n"),
                flow(1)
            )
            .code,
        StatusCode::SERVER_INTERNAL_ERROR
    );
    assert!(registrar.is_reachable("1001"));
    assert_eq!(
        registrar
            .register(NOW, "1001", &register("other", 1, &gone), flow(1))
            .code,
        StatusCode::OK
    );
    assert!(!registrar.is_reachable("1001"));
}

#[test]
fn the_oldest_contact_makes_room() {
    let mut registrar = Registrar::new(Config {
        max_contacts: 2,
        ..Config::default()
    });
    for n in 1..=3 {
        let line = format!("Contact: <sip:a@{n}.invalid>\r\n");
        registrar.register(NOW, "1001", &register("a", n, &line), flow(u64::from(n)));
    }
    assert_eq!(
        registrar.lookup("1001").map(|b| b.flow.id.0).collect::<Vec<_>>(),
        [3, 2]
    );
    let many = "Contact: <sip:a@b>, <sip:b@b>, <sip:c@b>\r\n";
    assert_eq!(
        registrar
            .register(NOW, "1001", &register("a", 9, many), flow(1))
            .code,
        StatusCode::FORBIDDEN
    );
    assert_eq!(registrar.len(), 2);
}

#[test]
fn one_contact_named_twice_is_one_binding() {
    let mut registrar = Registrar::new(Config::default());
    let lines = format!("Contact: {SIPJS}, {SIPJS}\r\n");
    let outcome = registrar.register(NOW, "1001", &register("a", 1, &lines), flow(1));
    assert_eq!(contacts(&outcome), [SIPJS]);
}

#[test]
fn the_path_is_kept_and_shown() {
    let mut registrar = Registrar::new(Config::default());
    let lines = format!("Contact: {SIPJS}\r\nPath: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n");
    let outcome = registrar.register(NOW, "1001", &register("a", 1, &lines), flow(1));
    let path = (
        "Path".to_owned(),
        "<sip:p1.example.com;lr>, <sip:p2.example.com;lr>".to_owned(),
    );
    assert!(outcome.headers.contains(&path));
    assert_eq!(
        registrar.lookup("1001").next().unwrap().path,
        ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]
    );
}

#[test]
fn how_a_contact_is_called_is_learnt_from_its_calls() {
    let mut registrar = Registrar::new(Config::default());
    let tls = Flow {
        transport: Transport::Tls,
        ..flow(2)
    };
    let behind_proxy = "<sip:x@a.invalid;transport=wss>";
    for (user, contact, flow) in [
        ("1001", SIPJS, flow(1)),
        ("1002", behind_proxy, tls),
        ("1003", "<sip:1003@h>", tls),
    ] {
        registrar.register(
            NOW,
            user,
            &register(user, 1, &format!("Contact: {contact}\r\n")),
            flow,
        );
    }
    let takes = |registrar: &Registrar| {
        ["1001", "1002", "1003"].map(|user| registrar.lookup(user).next().unwrap().takes_dtls())
    };
    assert_eq!(takes(&registrar), [true, true, false]);
    registrar.offered("1001", None, flow(1), false);
    let uri = crate::uri::Uri::parse("sip:1003@h").unwrap();
    registrar.offered("1003", Some(uri.borrow()), flow(9), true);
    registrar.offered("1002", None, flow(9), false);
    registrar.offered("nobody", None, flow(9), false);
    assert_eq!(takes(&registrar), [false, true, true]);
    // Refreshing a binding forgets nothing; another client of the user is a separate one.
    registrar.register(
        NOW,
        "1003",
        &register("1003", 2, "Contact: <sip:1003@h>\r\n"),
        tls,
    );
    registrar.register(
        NOW,
        "1001",
        &register("b", 1, &format!("Contact: {JSSIP}\r\n")),
        flow(3),
    );
    assert_eq!(takes(&registrar), [true, true, true]);
}

#[test]
fn an_effect_is_known_before_anything_changes() {
    let mut registrar = Registrar::new(Config::default());
    let effect = |registrar: &Registrar, cseq: u32, lines: &str| {
        let effect = registrar.effect("1001", &register("a", cseq, lines));
        effect.map_err(|outcome| outcome.code)
    };
    let two = "Contact: <sip:a@a>;expires=120, <sip:b@b>\r\nExpires: 300\r\n";
    let longest = Duration::from_secs(300);
    assert_eq!(effect(&registrar, 1, two), Ok(Effect::Bind(longest)));
    assert!(registrar.is_empty());
    registrar.register(NOW, "1001", &register("a", 1, two), flow(1));
    for (lines, wanted) in [
        ("", Effect::Query),
        ("Contact: <sip:a@a>;expires=0\r\n", Effect::Remove),
        ("Contact: <sip:other@a>;expires=0\r\n", Effect::Remove),
        ("Contact: <sip:a@a>, <sip:b@b>\r\nExpires: 0\r\n", Effect::Empty),
        ("Contact: *\r\nExpires: 0\r\n", Effect::Empty),
        (
            "Contact: <sip:a@a>;expires=0, <sip:c@c>;expires=300\r\n",
            Effect::Bind(longest),
        ),
    ] {
        assert_eq!(effect(&registrar, 2, lines), Ok(wanted), "{lines}");
    }
    let brief = "Contact: <sip:a@a>;expires=5\r\n";
    assert_eq!(effect(&registrar, 2, brief), Err(StatusCode::INTERVAL_TOO_BRIEF));
    assert_eq!(effect(&registrar, 1, two), Err(StatusCode::SERVER_INTERNAL_ERROR));
    assert_eq!(registrar.len(), 2);
}

#[test]
fn a_binding_lasts_no_longer_than_somebody_elses() {
    let mut registrar = Registrar::new(Config::default());
    let request = register("a", 1, "Contact: <sip:a@a>\r\nExpires: 600\r\n");
    let outcome = registrar.register_within(NOW, "1001", &request, flow(1), Duration::from_secs(45));
    assert_eq!(contacts(&outcome), ["<sip:a@a>;expires=45"]);
    registrar.handle_timeout(NOW + Duration::from_secs(45));
    assert!(registrar.is_empty());
}
