//! Subscriptions (RFC 6665): peers at us, and ours at peers.

use std::time::Duration;

use sip_core::endpoint::{
    Body, Config, Counts, Credentials, Event, EventType, Headers, Input, OutgoingSubscribe, SubscriptionEnd,
    SubscriptionId, SubscriptionState, Target, TerminationReason,
};
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{Address, HeaderName, Message, Method, StatusCode};
use sip_core::uri::Uri;

use crate::bench::{Bench, config, peer, request};

const WANTS: &str = "Event: dialog\r\nExpires: 600\r\nContact: <sip:bob@192.0.2.9:5060>\r\n";

fn notifier() -> Bench {
    Bench::with(Config {
        event_packages: vec!["dialog".into(), "message-summary".into()],
        ..config()
    })
}

fn text(message: &Message, name: HeaderName) -> String {
    message.header(name).unwrap_or_default().to_owned()
}

/// A peer's subscription that was granted and told once.
fn granted() -> (Bench, SubscriptionId) {
    let mut bench = notifier();
    bench.receive(
        peer(Transport::Udp),
        request("SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, ""),
    );
    let Event::Subscribe {
        subscription,
        event,
        expires,
        ..
    } = bench.event()
    else {
        panic!("{}", bench.ladder())
    };
    let dialog = EventType {
        package: "dialog".into(),
        id: None,
    };
    assert_eq!((event, expires), (dialog, Duration::from_secs(600)));
    bench.act(|endpoint, now| endpoint.accept_subscription(now, subscription, Duration::from_secs(300)));
    tell(&mut bench, subscription);
    (bench, subscription)
}

fn tell(bench: &mut Bench, subscription: SubscriptionId) {
    let body = Body {
        content_type: "application/dialog-info+xml".into(),
        data: "<dialog-info/>".into(),
    };
    bench.act(|endpoint, now| endpoint.notify(now, subscription, Some(body)));
}

/// A SUBSCRIBE within the dialog that the 200 made.
fn again(bench: &mut Bench, cseq: u32, lines: &str) {
    let tag = bench.last("200").to().tag().expect("a tag").to_owned();
    let lines = format!("{lines}Contact: <sip:bob@192.0.2.9:5060>\r\n");
    let text = request("SUBSCRIBE", "sip:1001@192.0.2.1", &lines, "");
    let text = text
        .replace(
            "To: <sip:1001@example.com>",
            &format!("To: <sip:1001@example.com>;tag={tag}"),
        )
        .replace("CSeq: 100", &format!("CSeq: {cseq}"))
        .replace("z9hG4bKpeer1", &format!("z9hG4bKpeer{cseq}"));
    bench.receive(peer(Transport::Udp), text);
}

#[test]
fn a_peer_subscribes_is_told_refreshes_and_leaves() {
    let (mut bench, id) = granted();
    let ok = bench.last("200");
    assert_eq!(text(&ok, HeaderName::Expires), "300", "as much as we grant");
    assert!(ok.header(HeaderName::Contact).is_some());
    let first = bench.last("NOTIFY");
    assert_eq!(
        (
            text(&first, HeaderName::Event),
            text(&first, HeaderName::SubscriptionState)
        ),
        ("dialog".into(), "active;expires=300".into())
    );
    assert_eq!(first.request_uri(), Some("sip:bob@192.0.2.9:5060"));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");

    bench.secs(200);
    again(&mut bench, 101, "Event: dialog\r\nExpires: 250\r\n");
    assert!(matches!(bench.event(), Event::Resubscribed { subscription } if subscription == id));
    assert_eq!(text(&bench.last("200"), HeaderName::Expires), "250");
    bench.secs(50);
    tell(&mut bench, id);
    let second = bench.last("NOTIFY");
    assert_eq!(text(&second, HeaderName::SubscriptionState), "active;expires=200");
    assert_eq!(second.cseq().number, first.cseq().number + 1);
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");

    again(&mut bench, 102, "Event: dialog\r\nExpires: 0\r\n");
    assert_eq!(text(&bench.last("200"), HeaderName::Expires), "0");
    assert!(matches!(bench.event(), Event::Resubscribed { .. }));
    tell(&mut bench, id);
    assert!(matches!(
        bench.event(),
        Event::SubscriptionEnded {
            how: SubscriptionEnd::Unsubscribed,
            ..
        }
    ));
    assert_eq!(
        text(&bench.last("NOTIFY"), HeaderName::SubscriptionState),
        "terminated;reason=timeout"
    );
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    again(&mut bench, 103, "Event: dialog\r\n");
    assert_eq!(bench.count("481"), 1, "it is forgotten");
    bench.is_clean_after_a_while();
}

#[test]
fn nobody_refreshes_and_it_ends() {
    let (mut bench, _) = granted();
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    bench.secs(301);
    assert!(matches!(
        bench.event(),
        Event::SubscriptionEnded {
            how: SubscriptionEnd::Expired,
            ..
        }
    ));
    assert_eq!(
        text(&bench.last("NOTIFY"), HeaderName::SubscriptionState),
        "terminated;reason=timeout"
    );
    bench.is_clean_after_a_while();
}

#[test]
fn a_peer_that_knows_it_no_more_is_told_nothing_more() {
    for answer in [Some(StatusCode::CALL_DOES_NOT_EXIST), None] {
        let (mut bench, id) = granted();
        match answer {
            Some(code) => bench.answer("NOTIFY", code, "", "", ""),
            None => bench.secs(33),
        }
        assert!(matches!(
            bench.event(),
            Event::SubscriptionEnded {
                how: SubscriptionEnd::PeerGone,
                ..
            }
        ));
        let told = bench.distinct("NOTIFY");
        tell(&mut bench, id);
        assert_eq!(bench.distinct("NOTIFY"), told);
        bench.is_clean_after_a_while();
    }
}

#[test]
fn we_end_it_with_a_reason() {
    let (mut bench, id) = granted();
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    bench.act(|endpoint, now| endpoint.terminate_subscription(now, id, TerminationReason::NoResource, None));
    assert_eq!(
        text(&bench.last("NOTIFY"), HeaderName::SubscriptionState),
        "terminated;reason=noresource"
    );
    assert!(bench.events.is_empty(), "{}", bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn one_state_and_no_more() {
    let mut bench = notifier();
    let lines = WANTS.replace("600", "0");
    bench.receive(
        peer(Transport::Udp),
        request("SUBSCRIBE", "sip:1001@192.0.2.1", &lines, ""),
    );
    let Event::Subscribe { subscription, .. } = bench.event() else {
        panic!("{}", bench.ladder())
    };
    bench.act(|endpoint, now| endpoint.accept_subscription(now, subscription, Duration::from_secs(300)));
    tell(&mut bench, subscription);
    let notify = bench.last("NOTIFY");
    assert_eq!(
        text(&notify, HeaderName::SubscriptionState),
        "terminated;reason=timeout"
    );
    assert!(!notify.body().is_empty());
    assert!(matches!(bench.event(), Event::SubscriptionEnded { .. }));
    bench.is_clean_after_a_while();
}

#[test]
fn an_application_that_says_nothing_leaves_nothing() {
    // Neither to the SUBSCRIBE,
    let mut bench = notifier();
    bench.receive(
        peer(Transport::Udp),
        request("SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, ""),
    );
    let Event::Subscribe { .. } = bench.event() else {
        panic!("{}", bench.ladder())
    };
    bench.secs(33);
    assert!(matches!(bench.event(), Event::SubscriptionEnded { .. }));
    bench.is_clean_after_a_while();
    // nor after the peer wanted no more.
    let (mut bench, _) = granted();
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    again(&mut bench, 101, "Event: dialog\r\nExpires: 0\r\n");
    bench.events.clear();
    bench.secs(33);
    assert!(matches!(
        bench.event(),
        Event::SubscriptionEnded {
            how: SubscriptionEnd::Unsubscribed,
            ..
        }
    ));
    assert_eq!(bench.distinct("NOTIFY"), 2);
    bench.is_clean_after_a_while();
}

#[test]
fn a_refusal_leaves_nothing_and_a_peer_is_granted_no_more_than_once() {
    let mut bench = notifier();
    bench.receive(
        peer(Transport::Udp),
        request("SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, ""),
    );
    let Event::Subscribe { subscription, .. } = bench.event() else {
        panic!("{}", bench.ladder())
    };
    bench.act(|endpoint, now| {
        endpoint.reject_subscription(subscription, StatusCode::FORBIDDEN, &Headers::new());
        endpoint.accept_subscription(now, subscription, Duration::from_secs(300));
    });
    assert_eq!((bench.count("403"), bench.count("200")), (1, 0));
    assert_eq!(bench.endpoint.counts(), Counts::default());
}

#[test]
fn refreshes_get_no_more_than_was_granted_at_first_and_are_known_by_their_order_and_event() {
    let (mut bench, _) = granted();
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    again(&mut bench, 101, "Event: dialog\r\nExpires: 9000\r\n");
    assert_eq!(text(&bench.last("200"), HeaderName::Expires), "300");
    bench.events.clear();
    again(&mut bench, 99, "Event: dialog\r\n");
    assert_eq!(bench.count("500"), 1);
    again(&mut bench, 102, "Event: dialog;id=3\r\n");
    again(&mut bench, 103, "Event: message-summary\r\n");
    assert_eq!((bench.count("481"), bench.events.len()), (2, 0));
}

#[test]
fn a_peer_that_comes_back_over_another_connection_is_told_there() {
    let mut bench = notifier();
    let over = |id| Flow {
        id: FlowId(id),
        ..peer(Transport::Tcp)
    };
    let text = request("SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, "").replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    bench.receive(over(1), text.clone());
    let Event::Subscribe { subscription, .. } = bench.event() else {
        panic!("{}", bench.ladder())
    };
    bench.act(|endpoint, now| endpoint.accept_subscription(now, subscription, Duration::from_secs(300)));
    let tag = bench.last("200").to().tag().expect("a tag").to_owned();
    let text = text
        .replace(
            "To: <sip:1001@example.com>",
            &format!("To: <sip:1001@example.com>;tag={tag}"),
        )
        .replace("CSeq: 100", "CSeq: 101")
        .replace("z9hG4bKpeer1", "z9hG4bKpeer2");
    bench.receive(over(2), text);
    tell(&mut bench, subscription);
    let sent = bench.find("NOTIFY").expect("a NOTIFY");
    assert!(matches!(sent.to, Destination::Flow(flow) if flow.id == FlowId(2)));
}

#[test]
fn with_all_transactions_in_use_a_refresh_gets_503_and_the_subscription_stays() {
    let mut bench = Bench::with(Config {
        event_packages: vec!["dialog".into()],
        max_transactions: 4,
        ..config()
    });
    bench.receive(
        peer(Transport::Udp),
        request("SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, ""),
    );
    let Event::Subscribe { subscription, .. } = bench.event() else {
        panic!("{}", bench.ladder())
    };
    bench.act(|endpoint, now| endpoint.accept_subscription(now, subscription, Duration::from_secs(300)));
    for cseq in 101..=104 {
        again(&mut bench, cseq, "Event: dialog\r\n");
    }
    assert_eq!((bench.count("503"), bench.count("481")), (1, 0));
    assert_eq!(bench.endpoint.counts().subscriptions, 1);
}

#[test]
fn there_are_refusals_of_a_notify_that_leave_the_subscription() {
    let (mut bench, id) = granted();
    bench.answer("NOTIFY", StatusCode::SERVER_INTERNAL_ERROR, "", "", "");
    tell(&mut bench, id);
    assert_eq!((bench.distinct("NOTIFY"), bench.events.len()), (2, 0));
}

#[test]
fn a_last_notify_that_leads_nowhere_ends_it_once() {
    let mut bench = notifier();
    let lines = "Event: dialog\r\nExpires: 0\r\nContact: <sip:bob@nowhere.example>\r\n";
    bench.receive(
        peer(Transport::Udp),
        request("SUBSCRIBE", "sip:1001@192.0.2.1", lines, ""),
    );
    let Event::Subscribe { subscription, .. } = bench.event() else {
        panic!("{}", bench.ladder())
    };
    bench.act(|endpoint, now| endpoint.accept_subscription(now, subscription, Duration::from_secs(300)));
    tell(&mut bench, subscription);
    let (query, _) = bench.queries.remove(0);
    bench.act(|endpoint, now| {
        endpoint.handle_input(
            now,
            Input::Resolved {
                query,
                targets: Vec::new(),
            },
        )
    });
    assert!(matches!(bench.event(), Event::SubscriptionEnded { .. }));
    assert!(bench.events.is_empty(), "{}", bench.ladder());
    bench.is_clean_after_a_while();
}

/// The answer to a SUBSCRIBE outside of any dialog, of an endpoint with this configuration.
fn refusal(config: Config, event: &str) -> Message {
    let mut bench = Bench::with(config);
    let lines = format!("{event}Contact: <sip:b@192.0.2.9>\r\n");
    bench.receive(
        peer(Transport::Udp),
        request("SUBSCRIBE", "sip:1001@192.0.2.1", &lines, ""),
    );
    assert!(bench.events.is_empty(), "{}", bench.ladder());
    assert_eq!(bench.endpoint.counts(), Counts::default());
    bench.sent.remove(0).message
}

#[test]
fn unknown_packages_are_refused_with_those_that_there_are() {
    let packages = || Config {
        event_packages: vec!["dialog".into(), "message-summary".into()],
        ..config()
    };
    for event in ["Event: presence\r\n", "Event: dialog.winfo\r\n", ""] {
        let refused = refusal(packages(), event);
        assert_eq!(refused.status(), Some(StatusCode::BAD_EVENT), "{event}");
        assert_eq!(
            refused.header_named("Allow-Events"),
            Some("dialog, message-summary, refer")
        );
    }
    let none = refusal(config(), "Event: dialog\r\n");
    assert_eq!(none.status(), Some(StatusCode::BAD_EVENT));
    assert_eq!(none.header_named("Allow-Events"), Some("refer"));
    // REFER alone begins such a subscription.
    let refer = refusal(config(), "Event: refer\r\n");
    assert_eq!(refer.status(), Some(StatusCode::FORBIDDEN));
}

#[test]
fn subscribe_is_allowed_where_there_is_a_package_and_no_method_without_any() {
    let mut without = config();
    without.allow.retain(|method| *method != Method::Refer);
    let refused = refusal(without, "Event: dialog\r\n");
    assert_eq!(refused.status(), Some(StatusCode::METHOD_NOT_ALLOWED));
    for (mut bench, is_listed) in [(Bench::new(), false), (notifier(), true)] {
        bench.receive(
            peer(Transport::Udp),
            request("PUBLISH", "sip:1001@192.0.2.1", "", ""),
        );
        let refused = bench.last("405");
        assert_eq!(refused.allow().any(|method| method == "SUBSCRIBE"), is_listed);
    }
}

fn wanted() -> OutgoingSubscribe {
    let uri = Uri::parse("sip:bob@192.0.2.9").unwrap();
    OutgoingSubscribe {
        target: Target::Uri { proxy: None },
        request_uri: uri.clone(),
        from: Address::new(Uri::parse("sip:alice@example.com").unwrap()),
        to: Address::new(uri),
        contact_user: "alice".into(),
        event: EventType {
            package: "message-summary".into(),
            id: None,
        },
        accept: vec!["application/simple-message-summary".into()],
        expires: Duration::from_secs(600),
        extra: Headers::new(),
        credentials: None,
        relayed: false,
        response_timeout: None,
    }
}

/// A subscription of ours whose SUBSCRIBE is on its way.
fn asking() -> (Bench, SubscriptionId, Message) {
    let mut bench = Bench::new();
    let id = bench.act(|endpoint, now| endpoint.subscribe(now, wanted()));
    let sent = bench.last("SUBSCRIBE");
    (bench, id, sent)
}

/// A NOTIFY of the notifier with this tag.
fn tells(bench: &mut Bench, subscribe: &Message, tag: &str, cseq: u32, state: &str) {
    let us = text(subscribe, HeaderName::From);
    let notify = format!(
        "NOTIFY sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{tag}{cseq};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:bob@192.0.2.9>;tag={tag}\r\nTo: {us}\r\nCall-ID: {}\r\nCSeq: {cseq} NOTIFY\r\n\
         Contact: <sip:{tag}@192.0.2.9:5060>\r\nEvent: message-summary\r\nSubscription-State: {state}\r\n\
         Content-Length: 0\r\n\r\n",
        subscribe.call_id()
    );
    bench.receive(peer(Transport::Udp), notify);
}

#[test]
fn ours_is_told_refreshed_at_half_time_and_given_up() {
    let (mut bench, id, sent) = asking();
    assert_eq!(
        (text(&sent, HeaderName::Event), text(&sent, HeaderName::Expires)),
        ("message-summary".into(), "600".into())
    );
    bench.answer(
        "SUBSCRIBE",
        StatusCode::OK,
        "n1",
        "Expires: 400\r\nContact: <sip:n1@192.0.2.9:5060>\r\n",
        "",
    );
    tells(&mut bench, &sent, "n1", 1, "active;expires=400");
    let Event::Notified {
        subscription, state, ..
    } = bench.event()
    else {
        panic!("{}", bench.ladder())
    };
    let left = Some(Duration::from_secs(400));
    assert_eq!(
        (subscription, state),
        (id, SubscriptionState::Active { expires: left })
    );
    assert_eq!(bench.count("200"), 1);
    bench.secs(201);
    let refresh = bench.last("SUBSCRIBE");
    assert_eq!(refresh.cseq().number, sent.cseq().number + 1);
    assert_eq!(refresh.to().tag(), Some("n1"));
    assert_eq!(refresh.request_uri(), Some("sip:n1@192.0.2.9:5060"));
    bench.answer("SUBSCRIBE", StatusCode::OK, "", "Expires: 400\r\n", "");
    bench.act(|endpoint, now| endpoint.unsubscribe(now, id));
    assert_eq!(text(&bench.last("SUBSCRIBE"), HeaderName::Expires), "0");
    bench.answer("SUBSCRIBE", StatusCode::OK, "", "Expires: 0\r\n", "");
    tells(&mut bench, &sent, "n1", 2, "terminated;reason=timeout");
    assert!(matches!(
        bench.event(),
        Event::Notified {
            state: SubscriptionState::Terminated { .. },
            ..
        }
    ));
    assert!(matches!(
        bench.event(),
        Event::SubscriptionEnded {
            how: SubscriptionEnd::Terminated,
            ..
        }
    ));
    bench.is_clean_after_a_while();
}

#[test]
fn each_notifier_behind_a_forking_proxy_is_told_apart() {
    let (mut bench, _, sent) = asking();
    // A NOTIFY may overtake the 200.
    tells(&mut bench, &sent, "n1", 1, "active;expires=600");
    tells(&mut bench, &sent, "n2", 1, "pending;expires=600");
    bench.answer("SUBSCRIBE", StatusCode::OK, "n1", "Expires: 600\r\n", "");
    let forks: Vec<_> = bench
        .events
        .drain(..)
        .filter_map(|event| match event {
            Event::Notified { fork, .. } => Some(fork.0),
            _ => None,
        })
        .collect();
    assert_eq!(forks, [0, 1]);
    bench.secs(301);
    assert_eq!(bench.distinct("SUBSCRIBE"), 3, "{}", bench.ladder());
    tells(&mut bench, &sent, "n2", 2, "terminated;reason=rejected");
    bench.events.clear();
    // Nobody refreshes the other one.
    bench.secs(330);
    assert!(matches!(
        bench.event(),
        Event::SubscriptionEnded {
            how: SubscriptionEnd::Expired,
            ..
        }
    ));
    bench.is_clean_after_a_while();
}

#[test]
fn ours_is_refused_or_answered_by_nobody() {
    let (mut bench, ..) = asking();
    bench.answer("SUBSCRIBE", StatusCode::BAD_EVENT, "n1", "", "");
    assert!(matches!(
        bench.event(),
        Event::SubscriptionEnded {
            how: SubscriptionEnd::Refused(StatusCode::BAD_EVENT),
            ..
        }
    ));
    bench.is_clean_after_a_while();

    let (mut bench, ..) = asking();
    bench.secs(33);
    assert!(matches!(bench.event(), Event::SubscriptionEnded { .. }));
    bench.is_clean_after_a_while();
}

#[test]
fn credentials_and_a_longer_interval_are_given_where_they_are_asked_for() {
    let mut bench = Bench::new();
    bench.act(|endpoint, now| {
        endpoint.subscribe(
            now,
            OutgoingSubscribe {
                credentials: Some(Credentials {
                    username: "alice".into(),
                    password: "secret".into(),
                }),
                ..wanted()
            },
        )
    });
    let challenge = "WWW-Authenticate: Digest realm=\"p\", nonce=\"n1\", qop=\"auth\"\r\n";
    bench.answer("SUBSCRIBE", StatusCode::UNAUTHORIZED, "x", challenge, "");
    let sent = bench.last("SUBSCRIBE");
    assert!(sent.header(HeaderName::Authorization).is_some());
    bench.answer(
        "SUBSCRIBE",
        StatusCode::INTERVAL_TOO_BRIEF,
        "x",
        "Min-Expires: 1800\r\n",
        "",
    );
    let longer = bench.last("SUBSCRIBE");
    assert_eq!(text(&longer, HeaderName::Expires), "1800");
    assert_eq!(text(&longer, HeaderName::Event), "message-summary");
    assert_eq!(longer.cseq().number, sent.cseq().number + 1);
    // A fork that spoke before the answer, under the number of the first SUBSCRIBE, is refreshed under a higher one.
    tells(&mut bench, &sent, "n2", 1, "active;expires=1800");
    bench.answer("SUBSCRIBE", StatusCode::OK, "n1", "Expires: 1800\r\n", "");
    tells(&mut bench, &sent, "n1", 1, "active;expires=1800");
    bench.secs(901);
    let numbers: Vec<u32> = bench
        .sent
        .iter()
        .filter(|sent| sent.message.to().tag().is_some() && sent.message.is(&Method::Subscribe))
        .map(|sent| sent.message.cseq().number)
        .collect();
    let next = longer.cseq().number + 1;
    assert!(
        numbers.len() >= 2 && numbers.iter().all(|number| *number == next),
        "{numbers:?}"
    );
}

#[test]
fn a_refresh_that_is_refused_ends_it_or_leaves_it() {
    for (code, is_over) in [
        (StatusCode::CALL_DOES_NOT_EXIST, true),
        (StatusCode::METHOD_NOT_ALLOWED, true),
        (StatusCode::SERVER_INTERNAL_ERROR, false),
    ] {
        let (mut bench, _, sent) = asking();
        bench.answer("SUBSCRIBE", StatusCode::OK, "n1", "Expires: 400\r\n", "");
        tells(&mut bench, &sent, "n1", 1, "active;expires=400");
        bench.events.clear();
        bench.secs(201);
        bench.answer("SUBSCRIBE", code, "", "", "");
        let ended = bench
            .events
            .iter()
            .any(|event| matches!(event, Event::SubscriptionEnded { .. }));
        assert_eq!(ended, is_over, "{code}");
        bench.secs(200);
        assert_eq!(bench.endpoint.counts().subscriptions, 0, "{code}");
    }
}

#[test]
fn a_notifier_that_is_gone_lends_its_number_to_no_other() {
    let (mut bench, _, sent) = asking();
    tells(&mut bench, &sent, "n1", 1, "active;expires=600");
    tells(&mut bench, &sent, "n2", 1, "active;expires=600");
    tells(&mut bench, &sent, "n2", 2, "terminated;reason=rejected");
    tells(&mut bench, &sent, "n3", 1, "active;expires=600");
    let forks: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Notified { fork, .. } => Some(fork.0),
            _ => None,
        })
        .collect();
    assert_eq!(forks, [0, 1, 1, 2]);
    // Timer N is over: whoever speaks now was not meant.
    bench.secs(33);
    tells(&mut bench, &sent, "n4", 1, "active;expires=600");
    assert_eq!(bench.count("481"), 1);
}

#[test]
fn given_up_before_anybody_answered() {
    let (mut bench, id, _) = asking();
    bench.act(|endpoint, now| endpoint.unsubscribe(now, id));
    bench.answer(
        "SUBSCRIBE",
        StatusCode::OK,
        "n1",
        "Expires: 600\r\nContact: <sip:n1@192.0.2.9:5060>\r\n",
        "",
    );
    let last = bench.last("SUBSCRIBE");
    assert_eq!(
        (last.to().tag(), text(&last, HeaderName::Expires)),
        (Some("n1"), "0".into())
    );
    bench.answer("SUBSCRIBE", StatusCode::OK, "", "Expires: 0\r\n", "");
    bench.secs(33);
    assert!(matches!(
        bench.event(),
        Event::SubscriptionEnded {
            how: SubscriptionEnd::Terminated,
            ..
        }
    ));
    bench.is_clean_after_a_while();
}

#[test]
fn nobody_tells_a_state_and_it_ends() {
    let (mut bench, ..) = asking();
    bench.answer("SUBSCRIBE", StatusCode::OK, "n1", "Expires: 600\r\n", "");
    bench.secs(33);
    assert!(matches!(
        bench.event(),
        Event::SubscriptionEnded {
            how: SubscriptionEnd::PeerGone,
            ..
        }
    ));
    bench.is_clean_after_a_while();
}

#[test]
fn a_notify_that_matches_no_subscription_is_refused() {
    let (mut bench, _, sent) = asking();
    let other = text(&sent, HeaderName::From).replace("tag=", "tag=0");
    let mut message = sent.clone();
    message.set(HeaderName::From, &other).expect("a From");
    tells(&mut bench, &message, "n1", 1, "active");
    assert_eq!((bench.count("481"), bench.events.len()), (1, 0));
}

/// A SUBSCRIBE with these lines, as the application hears of it.
fn asked(bench: &mut Bench, lines: &str) -> SubscriptionId {
    bench.receive(
        peer(Transport::Udp),
        request("SUBSCRIBE", "sip:1001@192.0.2.1", lines, ""),
    );
    match bench.event() {
        Event::Subscribe { subscription, .. } => subscription,
        other => panic!("{other:?} {}", bench.ladder()),
    }
}

#[test]
fn changes_are_told_one_at_a_time_and_the_latest_state_wins() {
    let (mut bench, id) = granted();
    bench.act(|endpoint, now| endpoint.state_changed(now, id));
    bench.act(|endpoint, now| endpoint.state_changed(now, id));
    assert!(bench.events.is_empty(), "the first NOTIFY is under way");
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    assert!(bench.events.is_empty(), "the interval is not over");
    bench.secs(1);
    assert!(matches!(bench.event(), Event::NotifyDue { subscription } if subscription == id));
    assert!(bench.events.is_empty(), "two changes are one");
    tell(&mut bench, id);
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    bench.secs(5);
    assert!(bench.events.is_empty(), "nothing changed since");
    bench.act(|endpoint, now| endpoint.state_changed(now, id));
    assert!(
        matches!(bench.event(), Event::NotifyDue { .. }),
        "after a quiet time at once"
    );
    assert_eq!(bench.distinct("NOTIFY"), 2);
}

#[test]
fn a_change_waits_for_a_refused_notify_as_well_and_for_no_subscription_that_is_over() {
    let (mut bench, id) = granted();
    bench.act(|endpoint, now| endpoint.state_changed(now, id));
    bench.secs(2);
    bench.answer("NOTIFY", StatusCode::SERVER_INTERNAL_ERROR, "", "", "");
    assert!(matches!(bench.event(), Event::NotifyDue { .. }));
    tell(&mut bench, id);
    bench.act(|endpoint, now| endpoint.state_changed(now, id));
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    bench.act(|endpoint, now| endpoint.terminate_subscription(now, id, TerminationReason::Deactivated, None));
    bench.act(|endpoint, now| endpoint.state_changed(now, id));
    bench.is_clean_after_a_while();
}

#[test]
fn a_subscriber_may_ask_for_fewer_notifies() {
    let mut bench = notifier();
    let lines = "Event: dialog;max-rate=0.1\r\nExpires: 600\r\nContact: <sip:bob@192.0.2.9:5060>\r\n";
    let id = asked(&mut bench, lines);
    bench.act(|endpoint, now| endpoint.accept_subscription(now, id, Duration::from_secs(600)));
    tell(&mut bench, id);
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    bench.act(|endpoint, now| endpoint.state_changed(now, id));
    bench.secs(9);
    assert!(bench.events.is_empty());
    bench.secs(1);
    assert!(matches!(bench.event(), Event::NotifyDue { .. }));
}

#[test]
fn what_is_too_brief_is_refused_with_what_is_not() {
    let mut bench = Bench::with(Config {
        min_subscription: Duration::from_secs(60),
        event_packages: vec!["dialog".into()],
        ..config()
    });
    bench.receive(
        peer(Transport::Udp),
        request("SUBSCRIBE", "sip:1001@192.0.2.1", &WANTS.replace("600", "59"), ""),
    );
    let refused = bench.last("423");
    assert_eq!(refused.min_expires(), Some(60));
    assert_eq!(bench.endpoint.counts(), Counts::default());
    // Nor is a refresh that is too brief granted; the subscription stays as it was.
    let (mut bench, _) = granted();
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    again(&mut bench, 101, "Event: dialog\r\nExpires: 9\r\n");
    assert_eq!(bench.last("423").min_expires(), Some(10));
    assert!(bench.events.is_empty());
    assert_eq!(bench.endpoint.counts().subscriptions, 1);
}

#[test]
fn a_subscription_waits_for_who_decides() {
    let mut bench = notifier();
    let id = asked(&mut bench, WANTS);
    bench.act(|endpoint, now| {
        endpoint.defer_subscription(now, id, Duration::from_secs(300));
        endpoint.notify(now, id, None);
    });
    assert_eq!(
        text(&bench.last("NOTIFY"), HeaderName::SubscriptionState),
        "pending;expires=300"
    );
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    // A refresh decides nothing.
    again(&mut bench, 101, "Event: dialog\r\nExpires: 200\r\n");
    bench.events.clear();
    bench.act(|endpoint, now| endpoint.notify(now, id, None));
    assert_eq!(
        text(&bench.last("NOTIFY"), HeaderName::SubscriptionState),
        "pending;expires=200"
    );
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    bench.act(|endpoint, _| endpoint.authorize_subscription(id));
    tell(&mut bench, id);
    assert_eq!(
        text(&bench.last("NOTIFY"), HeaderName::SubscriptionState),
        "active;expires=200"
    );
    bench.answer("NOTIFY", StatusCode::OK, "", "", "");
    let reason = TerminationReason::GiveUp(Some(Duration::from_secs(90)));
    bench.act(|endpoint, now| endpoint.terminate_subscription(now, id, reason, None));
    assert_eq!(
        text(&bench.last("NOTIFY"), HeaderName::SubscriptionState),
        "terminated;reason=giveup;retry-after=90"
    );
    bench.is_clean_after_a_while();
}

#[test]
fn there_is_an_end_to_what_is_watched() {
    let mut bench = Bench::with(Config {
        max_subscriptions: 0,
        event_packages: vec!["dialog".into()],
        ..config()
    });
    bench.receive(
        peer(Transport::Udp),
        request("SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, ""),
    );
    assert_eq!((bench.count("503"), bench.events.len()), (1, 0));
}

#[test]
fn packages_are_named_where_a_dialog_begins() {
    let packages = "dialog, message-summary, refer";
    let mut bench = notifier();
    bench.receive(
        peer(Transport::Udp),
        request(
            "INVITE",
            "sip:1001@192.0.2.1",
            "Contact: <sip:bob@192.0.2.9>\r\n",
            "",
        ),
    );
    let Event::Invite { usage, .. } = bench.event() else {
        panic!("{}", bench.ladder())
    };
    bench.act(|endpoint, now| {
        endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new());
        endpoint.accept(now, usage, Some(Body::sdp("v=0\r\n")), Headers::new());
    });
    for response in ["180", "200"] {
        assert_eq!(text(&bench.last(response), HeaderName::AllowEvents), packages);
    }
    // Where there is no package but `refer`, `Allow` says enough.
    let mut bench = Bench::new();
    bench.receive(
        peer(Transport::Udp),
        request(
            "INVITE",
            "sip:1001@192.0.2.1",
            "Contact: <sip:bob@192.0.2.9>\r\n",
            "",
        ),
    );
    let Event::Invite { usage, .. } = bench.event() else {
        panic!("{}", bench.ladder())
    };
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    assert!(bench.last("180").header(HeaderName::AllowEvents).is_none());
}
