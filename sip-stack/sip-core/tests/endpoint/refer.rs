//! The peer asks to be replaced: REFER, and the reports to it.

use std::time::Duration;

use sip_core::endpoint::{Body, Counts, Event, Headers, ReferId, SubscriptionEnd, SubscriptionId, UsageId};
use sip_core::flow::Transport;
use sip_core::message::{HeaderName, Message, Referral, StatusCode};

use crate::bench::{ANSWER, Bench, OFFER, peer, request};

const TO: &str = "Refer-To: <sip:1002@example.com>\r\n";

/// A call of the peer that stands. Its CSeq stands at 100.
fn called() -> (Bench, UsageId) {
    let mut bench = Bench::new();
    let usage = bench.called(peer(Transport::Udp), "", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, Some(Body::sdp(ANSWER)), Headers::new()));
    bench.within(usage, "ACK", 100, "", "");
    bench.events.clear();
    (bench, usage)
}

fn refer(bench: &mut Bench, usage: UsageId, cseq: u32, lines: &str) -> (ReferId, Referral) {
    bench.within(usage, "REFER", cseq, lines, "");
    match bench.event() {
        Event::Refer { refer, referral, .. } => (refer, *referral),
        other => panic!("{other:?}"),
    }
}

fn state(notify: &Message) -> (String, String, String) {
    let text = |name| notify.header(name).unwrap_or_default().to_owned();
    let body = String::from_utf8(notify.body().to_vec()).unwrap();
    (text(HeaderName::Event), text(HeaderName::SubscriptionState), body)
}

#[test]
fn a_transfer_is_told_from_trying_to_its_end() {
    let (mut bench, usage) = called();
    let (id, referral) = refer(&mut bench, usage, 101, TO);
    assert_eq!(referral.target.as_str(), "sip:1002@example.com");
    bench.act(|endpoint, now| endpoint.accept_refer(now, usage, id));
    assert!(
        bench.last("202").header(HeaderName::Contact).is_some(),
        "RFC 3515 §2.2"
    );
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    let first = bench.last("NOTIFY");
    assert!(first.header(HeaderName::Contact).is_some());
    assert_eq!(first.content_type(), Some("message/sipfrag"));
    assert_eq!(
        state(&first),
        (
            "refer".into(),
            "active;expires=600".into(),
            "SIP/2.0 100 Trying\r\n".into()
        )
    );
    bench.secs(2);
    bench.act(|endpoint, now| endpoint.notify_refer(now, usage, id, StatusCode::RINGING));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    assert_eq!(state(&bench.last("NOTIFY")).1, "active;expires=598");
    bench.act(|endpoint, now| endpoint.notify_refer(now, usage, id, StatusCode::OK));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    let last = bench.last("NOTIFY");
    assert_eq!(
        (last.cseq().number, state(&last).1, state(&last).2),
        (
            first.cseq().number + 2,
            "terminated;reason=noresource".into(),
            "SIP/2.0 200 OK\r\n".into()
        )
    );
    bench.act(|endpoint, now| endpoint.notify_refer(now, usage, id, StatusCode::OK));
    assert_eq!(bench.distinct("NOTIFY"), 3, "nothing after the last one");
    insta::assert_snapshot!(bench.ladder());
}

#[test]
fn the_second_transfer_of_a_dialog_is_named() {
    let (mut bench, usage) = called();
    for (cseq, event) in [(101, "refer"), (102, "refer;id=102"), (103, "refer;id=103")] {
        let (id, _) = refer(&mut bench, usage, cseq, TO);
        bench.act(|endpoint, now| endpoint.accept_refer(now, usage, id));
        assert_eq!(state(&bench.last("NOTIFY")).0, event);
        bench.answer("NOTIFY", StatusCode::OK, "", "", "");
        bench.act(|endpoint, now| endpoint.notify_refer(now, usage, id, StatusCode::BUSY_HERE));
        assert_eq!(
            state(&bench.last("NOTIFY")),
            (
                event.into(),
                "terminated;reason=noresource".into(),
                "SIP/2.0 486 Busy Here\r\n".into()
            )
        );
        bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    }
}

#[test]
fn a_peer_that_subscribes_hears_for_longer_or_no_more_and_the_transfer_goes_on() {
    let (mut bench, usage) = called();
    let (id, _) = refer(&mut bench, usage, 101, TO);
    bench.within(usage, "SUBSCRIBE", 102, "Event: refer\r\n", "");
    assert_eq!(bench.count("481"), 1, "there is no subscription before the 202");
    bench.act(|endpoint, now| endpoint.accept_refer(now, usage, id));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    bench.secs(2);
    bench.act(|endpoint, now| endpoint.notify_refer(now, usage, id, StatusCode::RINGING));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    let told = |state: &str| ("refer".into(), state.into(), "SIP/2.0 180 Ringing\r\n".into());
    for (cseq, lines, expires, told) in [
        (
            103,
            "Event: refer\r\nExpires: 9000\r\n",
            "600",
            told("active;expires=600"),
        ),
        (
            104,
            "Event: refer;id=101\r\nExpires: 60\r\n",
            "60",
            told("active;expires=60"),
        ),
        (
            105,
            "Event: refer\r\nExpires: 0\r\n",
            "0",
            told("terminated;reason=timeout"),
        ),
    ] {
        bench.within(usage, "SUBSCRIBE", cseq, lines, "");
        assert_eq!(bench.last("200").header(HeaderName::Expires), Some(expires));
        assert_eq!(state(&bench.last("NOTIFY")), told);
        bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    }
    let count = bench.distinct("NOTIFY");
    bench.act(|endpoint, now| endpoint.notify_refer(now, usage, id, StatusCode::OK));
    bench.within(usage, "SUBSCRIBE", 106, "Event: refer\r\n", "");
    assert_eq!((bench.distinct("NOTIFY"), bench.count("481")), (count, 2));
    assert!(bench.events.is_empty(), "{}", bench.ladder());
}

#[test]
fn a_subscription_that_nobody_prolongs_ends_with_its_next_notify() {
    let (mut bench, usage) = called();
    let (id, _) = refer(&mut bench, usage, 101, TO);
    bench.act(|endpoint, now| endpoint.accept_refer(now, usage, id));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    bench.secs(600);
    bench.act(|endpoint, now| {
        endpoint.notify_refer(now, usage, id, StatusCode::RINGING);
        endpoint.notify_refer(now, usage, id, StatusCode::OK);
    });
    assert_eq!(state(&bench.last("NOTIFY")).1, "terminated;reason=timeout");
    assert_eq!(bench.distinct("NOTIFY"), 2);
}

#[test]
fn who_wants_to_hear_nothing_hears_nothing() {
    let (mut bench, usage) = called();
    let (id, _) = refer(
        &mut bench,
        usage,
        101,
        &format!("{TO}Refer-Sub: false\r\nRequire: norefersub\r\n"),
    );
    bench.act(|endpoint, now| {
        endpoint.accept_refer(now, usage, id);
        endpoint.notify_refer(now, usage, id, StatusCode::OK);
    });
    assert_eq!(bench.last("202").header(HeaderName::ReferSub), Some("false"));
    assert_eq!(bench.count("NOTIFY"), 0);
}

#[test]
fn refusals_have_their_own_codes_and_a_refusal_leaves_no_subscription() {
    let (mut bench, usage) = called();
    let refused = [
        ("", "400"),
        ("Refer-To: nonsense\r\n", "400"),
        ("Refer-To: <sip:a@x>\r\nRefer-To: <sip:b@x>\r\n", "400"),
        ("Refer-To: <mailto:a@x>\r\n", "416"),
    ];
    for (cseq, (lines, code)) in (101..).zip(refused) {
        bench.within(usage, "REFER", cseq, lines, "");
        assert_eq!(bench.last(code).cseq().number, cseq);
    }
    assert!(bench.events.is_empty());
    let (id, _) = refer(&mut bench, usage, 110, TO);
    bench.act(|endpoint, now| {
        endpoint.reject_refer(now, usage, id, StatusCode::DECLINE, &Headers::new());
        endpoint.notify_refer(now, usage, id, StatusCode::OK);
    });
    assert_eq!((bench.count("603"), bench.count("NOTIFY")), (1, 0));
}

#[test]
fn nobody_is_transferred_before_the_call_stands() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(Transport::Udp), "", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, Some(Body::sdp(ANSWER)), Headers::new()));
    bench.events.clear();
    bench.within(usage, "REFER", 101, TO, "");
    assert_eq!(bench.count("491"), 1);
    assert!(bench.events.is_empty());
}

#[test]
fn a_lost_notify_is_sent_again_and_a_peer_that_does_not_listen_keeps_its_call() {
    for refusal in [
        Some(StatusCode::CALL_DOES_NOT_EXIST),
        Some(StatusCode::REQUEST_TIMEOUT),
        None,
    ] {
        let (mut bench, usage) = called();
        let (id, _) = refer(&mut bench, usage, 101, TO);
        bench.act(|endpoint, now| endpoint.accept_refer(now, usage, id));
        bench.secs(2);
        assert!(
            bench.count("NOTIFY") > 1 && bench.distinct("NOTIFY") == 1,
            "{refusal:?}"
        );
        match refusal {
            Some(code) => bench.answer("NOTIFY", code, "", "", ""),
            None => bench.secs(40),
        }
        bench.act(|endpoint, now| endpoint.notify_refer(now, usage, id, StatusCode::OK));
        assert_eq!(bench.distinct("NOTIFY"), 1, "{refusal:?}");
        assert!(bench.events.is_empty(), "{refusal:?}: the call goes on");
    }
}

#[test]
fn the_subscription_ends_with_the_dialog() {
    let (mut bench, usage) = called();
    let (id, _) = refer(&mut bench, usage, 101, TO);
    bench.act(|endpoint, now| endpoint.accept_refer(now, usage, id));
    bench.within(usage, "BYE", 102, "", "");
    bench.act(|endpoint, now| endpoint.notify_refer(now, usage, id, StatusCode::OK));
    assert_eq!(bench.distinct("NOTIFY"), 1);
    bench.events.clear();
    bench.now += Duration::from_secs(1);
    bench.is_clean_after_a_while();
    assert_eq!(bench.endpoint.counts(), Counts::default());
}

#[test]
fn an_invite_that_insists_on_replacing_is_a_call_although_nobody_is_promised_that() {
    let mut bench = Bench::new();
    let lines = "Contact: <sip:bob@192.0.2.9>\r\nRequire: replaces\r\nReplaces: a;to-tag=1;from-tag=2\r\n";
    bench.receive(
        peer(Transport::Udp),
        request("INVITE", "sip:1001@192.0.2.1", lines, OFFER),
    );
    let Some(Event::Invite { usage, .. }) = bench.events.first() else {
        panic!("{:?}", bench.events);
    };
    let usage = *usage;
    bench.act(|endpoint, now| endpoint.accept(now, usage, None, Vec::new()));
    let supported = bench.last("200").header(HeaderName::Supported).map(str::to_owned);
    assert!(!supported.unwrap_or_default().contains("replaces"));
}

const CONTACT: &str = "Contact: <sip:bob@192.0.2.9:5060>\r\n";

/// A REFER of the peer outside any dialog.
fn asked(bench: &mut Bench, lines: &str) -> (SubscriptionId, Referral) {
    let text = request("REFER", "sip:bob@192.0.2.1", &format!("{CONTACT}{lines}"), "");
    bench.receive(peer(Transport::Udp), text);
    match bench.event() {
        Event::Referral {
            subscription,
            referral,
            ..
        } => (subscription, *referral),
        other => panic!("{other:?}"),
    }
}

#[test]
fn outside_of_a_dialog_the_call_is_told_from_trying_to_its_end() {
    let mut bench = Bench::new();
    let (id, referral) = asked(&mut bench, TO);
    assert_eq!(referral.target.as_str(), "sip:1002@example.com");
    bench.act(|endpoint, now| endpoint.accept_referral(now, id, referral.subscribes));
    let accepted = bench.last("202");
    assert!(accepted.header(HeaderName::Contact).is_some(), "RFC 3515 §2.2");
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    let first = bench.last("NOTIFY");
    assert_eq!(
        (first.from().tag(), first.to().tag(), first.call_id()),
        (accepted.to().tag(), Some("bobtag"), "peer-call"),
        "within the dialog that the REFER began"
    );
    let told = |event: &str, state: &str, body: &str| (event.into(), state.into(), body.into());
    assert_eq!(
        state(&first),
        told("refer", "active;expires=600", "SIP/2.0 100 Trying\r\n")
    );
    bench.secs(2);
    bench.act(|endpoint, now| endpoint.notify_referral(now, id, StatusCode::RINGING));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    assert_eq!(state(&bench.last("NOTIFY")).1, "active;expires=598");
    bench.act(|endpoint, now| endpoint.notify_referral(now, id, StatusCode::OK));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    let last = state(&bench.last("NOTIFY"));
    assert_eq!(
        last,
        told("refer", "terminated;reason=noresource", "SIP/2.0 200 OK\r\n")
    );
    bench.act(|endpoint, now| endpoint.notify_referral(now, id, StatusCode::OK));
    assert_eq!(bench.distinct("NOTIFY"), 3, "nothing after the last one");
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn outside_of_a_dialog_a_peer_that_wants_to_hear_nothing_hears_nothing() {
    for lines in ["Refer-Sub: false\r\n", "Require: nosub\r\n"] {
        let mut bench = Bench::new();
        let (id, referral) = asked(&mut bench, &format!("{TO}{lines}"));
        bench.act(|endpoint, now| endpoint.accept_referral(now, id, referral.subscribes));
        assert_eq!(
            bench.last("200").header_named("Refer-Sub"),
            Some("false"),
            "{lines}"
        );
        bench.act(|endpoint, now| endpoint.notify_referral(now, id, StatusCode::OK));
        assert_eq!(bench.count("NOTIFY"), 0, "{lines}");
        bench.is_clean_after_a_while();
    }
}

#[test]
fn outside_of_a_dialog_a_peer_that_subscribes_hears_no_more_and_may_be_gone() {
    let mut bench = Bench::new();
    let (id, _) = asked(&mut bench, TO);
    bench.act(|endpoint, now| endpoint.accept_referral(now, id, true));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    let tag = bench.last("202").to().tag().map(str::to_owned).unwrap();
    let again = request(
        "SUBSCRIBE",
        "sip:bob@192.0.2.1",
        &format!("{CONTACT}Event: refer\r\nExpires: 0\r\n"),
        "",
    );
    let again = again
        .replace("branch=z9hG4bKpeer1", "branch=z9hG4bKpeer2")
        .replace(
            "<sip:1001@example.com>",
            &format!("<sip:1001@example.com>;tag={tag}"),
        )
        .replace("CSeq: 100", "CSeq: 101");
    bench.receive(peer(Transport::Udp), again);
    assert!(matches!(bench.event(), Event::Resubscribed { subscription } if subscription == id));
    bench.act(|endpoint, now| endpoint.notify_referral(now, id, StatusCode::RINGING));
    assert_eq!(state(&bench.last("NOTIFY")).1, "terminated;reason=timeout");
    assert!(matches!(
        bench.event(),
        Event::SubscriptionEnded {
            how: SubscriptionEnd::Unsubscribed,
            ..
        }
    ));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    bench.is_clean_after_a_while();

    let mut bench = Bench::new();
    let (id, _) = asked(&mut bench, TO);
    bench.act(|endpoint, now| endpoint.accept_referral(now, id, true));
    bench.answer("NOTIFY", StatusCode::CALL_DOES_NOT_EXIST, "", "", "");
    bench.act(|endpoint, now| endpoint.notify_referral(now, id, StatusCode::OK));
    assert_eq!(bench.distinct("NOTIFY"), 1);
}

#[test]
fn outside_of_a_dialog_what_cannot_be_followed_is_refused_by_its_own_code() {
    for (lines, code) in [
        ("", "400"),
        ("Refer-To: <sip:a@x>\r\nRefer-To: <sip:b@x>\r\n", "400"),
        ("Refer-To: <mailto:a@x>\r\n", "416"),
        ("Refer-To: <sip:a@x;method=BYE>\r\n", "603"),
        ("Refer-To: <sip:a@x>\r\nRequire: explicitsub\r\n", "420"),
    ] {
        let mut bench = Bench::new();
        let text = request("REFER", "sip:bob@192.0.2.1", &format!("{CONTACT}{lines}"), "");
        bench.receive(peer(Transport::Udp), text);
        assert_eq!((bench.count(code), bench.events.len()), (1, 0), "{lines}");
        bench.is_clean_after_a_while();
    }
    let mut bench = Bench::new();
    bench.receive(
        peer(Transport::Udp),
        request("REFER", "sip:bob@192.0.2.1", TO, ""),
    );
    assert_eq!(bench.count("400"), 1, "nowhere to send a NOTIFY to");
}

#[test]
fn outside_of_a_dialog_a_refusal_ends_what_the_refer_began() {
    let mut bench = Bench::new();
    let (id, _) = asked(&mut bench, TO);
    bench.act(|endpoint, _| endpoint.reject_subscription(id, StatusCode::FORBIDDEN, &Headers::new()));
    bench.act(|endpoint, now| endpoint.notify_referral(now, id, StatusCode::OK));
    assert_eq!((bench.count("403"), bench.count("NOTIFY")), (1, 0));
    bench.is_clean_after_a_while();
}
