//! Messages for absent users that the application saves: when their senders are told, what is saved, and what comes back after a restart.

use session_core::{Config, Event, MessageId, SavedMessage};
use sip_core::message::{HeaderName, StatusCode};

use super::{accept, answers, counts, got, says, texts, with_messages};
use crate::carried::bench::{Bench, PHONE, config};

fn saving(saved: Vec<(MessageId, SavedMessage)>) -> Config {
    Config {
        saved_messages: Some(saved),
        ..with_messages()
    }
}

/// Messages that the application has to save by now, in order.
fn kept(bench: &Bench) -> Vec<(MessageId, SavedMessage)> {
    let events = bench.events.iter();
    events
        .filter_map(|event| match event {
            Event::MessageKept { message, saved } => Some((*message, saved.clone())),
            _ => None,
        })
        .collect()
}

/// Messages whose saved form is needed no longer, in order.
fn over(bench: &Bench) -> Vec<MessageId> {
    let events = bench.events.iter();
    events
        .filter_map(|event| match event {
            Event::MessageOver { message } => Some(*message),
            _ => None,
        })
        .collect()
}

/// Sends 1001, who is absent, a text that is saved.
fn saved(bench: &mut Bench, lines: &str, body: &str) -> (MessageId, SavedMessage) {
    says(bench, lines, body);
    let last = kept(bench).pop().expect("it is to be saved");
    bench.act(|gateway, now| gateway.message_saved(now, last.0, true));
    last
}

#[test]
fn the_sender_is_told_when_it_is_saved_and_not_before() {
    let mut bench = Bench::with(saving(Vec::new()));
    says(&mut bench, "Subject: Lunch\r\n", "hello");
    bench.wait(5);
    assert!(answers(&bench).is_empty());
    let (id, message) = kept(&bench).pop().expect("it is to be saved");
    assert_eq!((message.user.as_str(), message.from.as_str()), ("1001", "1002"));
    assert!(
        !format!("{message:?}").contains("Lunch"),
        "nothing of it is shown"
    );
    bench.act(|gateway, now| gateway.message_saved(now, id, true));
    assert_eq!(answers(&bench), [StatusCode::ACCEPTED]);
    assert!(over(&bench).is_empty());
    bench.register(PHONE, "");
    accept(&mut bench, PHONE, 0);
    assert_eq!(over(&bench), [id]);
    assert_eq!(answers(&bench), [StatusCode::ACCEPTED], "once");
}

#[test]
fn one_that_cannot_be_saved_is_refused_and_forgotten() {
    let mut bench = Bench::with(saving(Vec::new()));
    says(&mut bench, "", "hello");
    let (id, _) = kept(&bench).pop().expect("it is to be saved");
    bench.act(|gateway, now| gateway.message_saved(now, id, false));
    assert_eq!(answers(&bench), [StatusCode::SERVICE_UNAVAILABLE]);
    assert_eq!(over(&bench), [id], "it may have been written all the same");
    let after = counts(&mut bench);
    assert_eq!((after.waiting, after.kept, after.refused), (0, 0, 1));
    bench.register(PHONE, "");
    assert!(got(&bench, PHONE).is_empty(), "its sender sends it again");
}

#[test]
fn a_user_who_comes_while_it_is_saved_gets_it_and_the_sender_hears_of_that() {
    let mut bench = Bench::with(saving(Vec::new()));
    says(&mut bench, "", "one");
    says(&mut bench, "", "two");
    let ids: Vec<MessageId> = kept(&bench).into_iter().map(|(id, _)| id).collect();
    bench.register(PHONE, "");
    assert_eq!(texts(&bench, PHONE), ["one"]);
    accept(&mut bench, PHONE, 0);
    assert_eq!(answers(&bench), [StatusCode::OK]);
    assert_eq!(texts(&bench, PHONE), ["one", "two"]);
    // Neither the store's word on the first changes anything, nor on the second before the phone has answered.
    for id in &ids {
        bench.act(|gateway, now| gateway.message_saved(now, *id, false));
    }
    assert_eq!(answers(&bench), [StatusCode::OK]);
    accept(&mut bench, PHONE, 1);
    assert_eq!(answers(&bench), [StatusCode::OK, StatusCode::OK]);
    assert_eq!(over(&bench), ids);
}

#[test]
fn whoever_waits_for_long_is_told_so_only_when_the_message_cannot_be_lost() {
    let mut bench = Bench::with(saving(Vec::new()));
    bench.register(PHONE, "");
    says(&mut bench, "", "hello");
    bench.wait(10);
    assert!(answers(&bench).is_empty());
    let (id, _) = kept(&bench).pop().expect("it is to be saved");
    bench.act(|gateway, now| gateway.message_saved(now, id, true));
    assert_eq!(answers(&bench), [StatusCode::ACCEPTED]);
    bench.wait(30);
    assert_eq!(kept(&bench).len(), 1, "it waits, and is saved already");
    assert!(over(&bench).is_empty());
    bench.register(PHONE, "");
    accept(&mut bench, PHONE, 1);
    assert_eq!(over(&bench), [id]);
    // One that arrives late is over as well.
    says(&mut bench, "", "again");
    bench.wait(10);
    accept(&mut bench, PHONE, 2);
    assert_eq!(over(&bench).len(), 2);
}

#[test]
fn after_a_restart_they_come_as_they_would_have_come() {
    let mut before = Bench::with(saving(Vec::new()));
    let long = "Grüße \u{1f600}\r\n\0".repeat(500);
    let one = saved(&mut before, "Subject: Lunch\r\n", &long);
    let two = saved(&mut before, "", "");
    let brief = saved(&mut before, "Expires: 60\r\n", "brief");
    assert!(one.0 < two.0 && two.0 < brief.0, "in order");
    let json = serde_json::to_string(&one.1).expect("JSON");
    let read: SavedMessage = serde_json::from_str(&json).expect("the same");
    // From the store they may come in any order.
    let mut bench = Bench::with(saving(vec![two, brief.clone(), (one.0, read)]));
    bench.now = before.now;
    assert_eq!(counts(&mut bench).waiting, 3);
    let newest = saved(&mut bench, "", "new");
    assert!(newest.0 > brief.0, "no id is given twice");
    bench.wait(61);
    assert_eq!(over(&bench), [brief.0], "its time is over");
    bench.register(PHONE, "");
    for number in 0..3 {
        accept(&mut bench, PHONE, number);
    }
    assert_eq!(texts(&bench, PHONE), [&long, "", "new"]);
    assert_eq!(got(&bench, PHONE)[0].header_named("Subject"), Some("Lunch"));
    assert_eq!(
        got(&bench, PHONE)[0].header(HeaderName::ContentType),
        Some("text/plain;charset=utf-8")
    );
    assert_eq!(over(&bench), [brief.0, one.0, two_id(&before), newest.0]);
    assert!(counts(&mut bench).waiting == 0);
}

fn two_id(bench: &Bench) -> MessageId {
    kept(bench)[1].0
}

#[test]
fn those_of_removed_users_are_forgotten_at_the_start() {
    let mut before = Bench::with(saving(Vec::new()));
    let (id, message) = saved(&mut before, "", "hello");
    let mut settings = saving(vec![(id, message)]);
    let session_core::Access::Directory { mut users, trunks } = config().access else {
        panic!("a directory")
    };
    users.remove("1001");
    settings.access = session_core::Access::Directory { users, trunks };
    let mut bench = Bench::with(settings);
    assert_eq!(counts(&mut bench).waiting, 0);
    assert_eq!(over(&bench), [id]);
}
