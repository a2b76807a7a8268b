//! Requests within a dialog: changes, their collisions, session timers.

use std::time::Duration;

use sip_core::endpoint::{
    Body, Ended, Event, Headers, OfferMethod, OutgoingInvite, PassedOn, SessionWish, UsageId,
};
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, StatusCode};

use crate::bench::{ANSWER, Bench, OFFER, outgoing, peer, request, response};

const NEW: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\na=sendonly\r\n";
const MINE: &str = "v=0\r\no=- 2 2 IN IP4 192.0.2.1\r\na=sendonly\r\n";
const CONTACT: &str = "Contact: <sip:bob@192.0.2.9:5060>\r\n";

/// A call of the peer that stands. Its CSeq stands at 100.
fn called(lines: &str) -> (Bench, UsageId) {
    let mut bench = Bench::new();
    let usage = bench.called(peer(Transport::Udp), lines, OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, Some(Body::sdp(ANSWER)), Headers::new()));
    bench.within(usage, "ACK", 100, "", "");
    bench.events.clear();
    (bench, usage)
}

/// A call of ours that stands.
fn calling(session_timer: Option<u64>, lines: &str) -> (Bench, UsageId) {
    let mut bench = Bench::new();
    let session_timer = session_timer.map(|seconds| SessionWish {
        interval: Duration::from_secs(seconds),
        refresher: None,
    });
    let usage = bench.invite(OutgoingInvite {
        session_timer,
        ..outgoing("sip:bob@192.0.2.9")
    });
    bench.answer(
        "INVITE",
        StatusCode::OK,
        "bob",
        &format!("{CONTACT}{lines}"),
        OFFER,
    );
    bench.events.clear();
    (bench, usage)
}

fn offer(bench: &mut Bench, usage: UsageId, body: &'static str) {
    bench.act(|endpoint, now| endpoint.offer(now, usage, Body::sdp(body)));
}

#[test]
fn hold_by_reinvite_of_either_side() {
    let (mut bench, usage) = called("");
    bench.within(usage, "INVITE", 101, CONTACT, NEW);
    assert!(matches!(
        bench.event(),
        Event::Offer {
            method: OfferMethod::Invite,
            body: Some(_),
            ..
        }
    ));
    bench.act(|endpoint, now| endpoint.answer_offer(now, usage, Ok(Some(Body::sdp(MINE))), Headers::new()));
    bench.secs(1);
    bench.within(usage, "ACK", 101, "", "");
    offer(&mut bench, usage, MINE);
    bench.answer("INVITE", StatusCode::OK, "", CONTACT, NEW);
    let Event::OfferAnswered { body: Some(body), .. } = bench.event() else {
        panic!()
    };
    assert_eq!(&body.data[..], NEW.as_bytes());
    assert!(
        bench.events.is_empty(),
        "an ACK to a re-INVITE is no news: {:?}",
        bench.events
    );
    insta::assert_snapshot!(bench.ladder());
}

#[test]
fn a_reinvite_whose_answer_was_lost_is_forgotten_when_the_call_ends() {
    let (mut bench, usage) = called("");
    offer(&mut bench, usage, MINE);
    bench.answer("INVITE", StatusCode::TRYING, "", "", "");
    bench.secs(1);
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    bench.answer("BYE", StatusCode::OK, "", "", "");
    bench.is_clean_after_a_while();
}

#[test]
fn a_reinvite_that_only_ever_gets_a_provisional_response_ends_as_timed_out() {
    let (mut bench, usage) = called("");
    offer(&mut bench, usage, MINE);
    bench.answer("INVITE", StatusCode::TRYING, "", "", "");
    bench.secs(179);
    assert!(bench.events.is_empty());
    bench.secs(2);
    assert!(matches!(
        bench.event(),
        Event::OfferRefused {
            code: StatusCode::REQUEST_TIMEOUT,
            ..
        } | Event::Ended { .. }
    ));
}

#[test]
fn offers_wait_for_one_another() {
    let (mut bench, usage) = calling(None, "");
    for body in [MINE, ANSWER] {
        offer(&mut bench, usage, body);
    }
    assert_eq!(bench.distinct("INVITE"), 2, "the first call and one re-INVITE");
    bench.answer("INVITE", StatusCode::NOT_ACCEPTABLE_HERE, "", "", "");
    assert!(matches!(
        bench.event(),
        Event::OfferRefused {
            code: StatusCode::NOT_ACCEPTABLE_HERE,
            ..
        }
    ));
    assert_eq!(
        (bench.distinct("INVITE"), bench.last("INVITE").body()),
        (3, ANSWER.as_bytes())
    );
    bench.answer("INVITE", StatusCode::OK, "", CONTACT, NEW);
    assert!(matches!(bench.event(), Event::OfferAnswered { .. }));
}

#[test]
fn glare_gets_491_and_the_owner_of_the_call_id_backs_off_longer() {
    let (mut bench, usage) = calling(None, "");
    offer(&mut bench, usage, MINE);
    bench.within(usage, "INVITE", 1, CONTACT, NEW);
    assert_eq!(bench.count("491"), 1);
    bench.within(usage, "UPDATE", 2, CONTACT, NEW);
    assert_eq!(bench.count("491"), 2);
    bench.answer("INVITE", StatusCode::REQUEST_PENDING, "", "", "");
    bench.sleep(Duration::from_millis(2_090));
    assert_eq!(bench.distinct("INVITE"), 2);
    bench.sleep(Duration::from_millis(1_920));
    assert_eq!(bench.distinct("INVITE"), 3);
    bench.answer("INVITE", StatusCode::OK, "", CONTACT, NEW);
    assert!(matches!(bench.event(), Event::OfferAnswered { .. }));
    insta::assert_snapshot!(bench.ladder());

    let (mut bench, usage) = called("");
    offer(&mut bench, usage, MINE);
    bench.answer("INVITE", StatusCode::REQUEST_PENDING, "", "", "");
    bench.secs(2);
    assert_eq!(bench.distinct("INVITE"), 2, "the callee tries first");
}

#[test]
fn an_offer_that_is_made_once_is_not_made_again_after_a_collision() {
    for (code, lines) in [
        (StatusCode::REQUEST_PENDING, ""),
        (StatusCode::SERVER_INTERNAL_ERROR, "Retry-After: 2\r\n"),
    ] {
        let (mut bench, usage) = called("");
        let once = |bench: &mut Bench, body: &'static str| {
            bench.act(|endpoint, now| endpoint.offer_once(now, usage, Body::sdp(body), Headers::new()))
        };
        assert!(once(&mut bench, MINE));
        assert!(!once(&mut bench, ANSWER), "one change at a time");
        bench.answer("INVITE", code, "", lines, "");
        let Event::OfferRefused { code: told, .. } = bench.event() else {
            panic!()
        };
        assert_eq!(told, code);
        bench.secs(20);
        assert_eq!(bench.distinct("INVITE"), 1);
        // The next one is made again, as ever.
        offer(&mut bench, usage, ANSWER);
        bench.answer("INVITE", StatusCode::REQUEST_PENDING, "", "", "");
        assert!(!once(&mut bench, MINE), "while another one waits");
        bench.secs(5);
        assert_eq!(bench.distinct("INVITE"), 3);
    }
}

#[test]
fn an_offer_that_was_refused_is_asked_about_again() {
    let (mut bench, usage) = called("");
    for cseq in [101, 102] {
        bench.within(usage, "INVITE", cseq, CONTACT, NEW);
        assert!(matches!(bench.event(), Event::Offer { body: Some(_), .. }));
        bench.act(|endpoint, now| {
            endpoint.answer_offer(now, usage, Err(StatusCode::REQUEST_PENDING), Headers::new())
        });
    }
    assert_eq!(bench.count("491"), 2);
    // The session is still the one before.
    bench.within(usage, "INVITE", 103, CONTACT, OFFER);
    assert!(bench.events.is_empty());
    assert_eq!(bench.last("200").body(), ANSWER.as_bytes());
}

#[test]
fn a_second_offer_before_the_answer_and_a_request_out_of_order_get_500_with_retry_after() {
    let (mut bench, usage) = called("");
    bench.within(usage, "INVITE", 105, CONTACT, NEW);
    bench.within(usage, "INVITE", 106, CONTACT, NEW);
    let wait = bench.last("500").retry_after().unwrap();
    assert!((1..=10).contains(&wait));
    bench.within(usage, "INFO", 104, "", "");
    assert_eq!(bench.count("500"), 2);
    assert!(bench.last("500").retry_after().is_some());
    assert_eq!(bench.events.len(), 1);
}

#[test]
fn a_reinvite_without_description_asks_for_our_offer() {
    let (mut bench, usage) = called("");
    bench.within(usage, "INVITE", 101, CONTACT, "");
    assert!(matches!(bench.event(), Event::Offer { body: None, .. }));
    bench.act(|endpoint, now| endpoint.answer_offer(now, usage, Ok(Some(Body::sdp(MINE))), Headers::new()));
    bench.within(usage, "INVITE", 102, CONTACT, NEW);
    assert_eq!(bench.count("491"), 1, "the answer must come first");
    bench.within(usage, "ACK", 101, "", NEW);
    let Event::Acked { body: Some(body), .. } = bench.event() else {
        panic!()
    };
    assert_eq!(&body.data[..], NEW.as_bytes());
}

#[test]
fn a_reinvite_that_repeats_the_last_offer_is_answered_as_before() {
    let (mut bench, usage) = called("");
    bench.within(usage, "INVITE", 101, CONTACT, OFFER);
    assert_eq!(bench.last("200").body(), ANSWER.as_bytes());
    bench.within(usage, "ACK", 101, "", "");
    assert!(bench.events.is_empty());
}

#[test]
fn a_cancelled_reinvite_leaves_the_session() {
    let (mut bench, usage) = called("");
    bench.within(usage, "INVITE", 101, CONTACT, NEW);
    let cancel = bench
        .within_text(usage, "CANCEL", 101, "", "")
        .replace("z9hG4bKCANCEL101", "z9hG4bKINVITE101");
    bench.receive(peer(Transport::Udp), cancel);
    assert_eq!((bench.count("487"), bench.events.len()), (1, 2));
    assert!(matches!(bench.events.last(), Some(Event::OfferWithdrawn { .. })));
    bench.act(|endpoint, now| endpoint.answer_offer(now, usage, Ok(Some(Body::sdp(MINE))), Headers::new()));
    assert!(bench.endpoint.usage(usage).is_some());
    assert_eq!(bench.count("200"), 2, "of the call and of the CANCEL");
}

#[test]
fn an_update_offers_and_is_refused() {
    let (mut bench, usage) = called("");
    bench.within(usage, "UPDATE", 101, CONTACT, NEW);
    assert!(matches!(
        bench.event(),
        Event::Offer {
            method: OfferMethod::Update,
            body: Some(_),
            ..
        }
    ));
    bench.act(|endpoint, now| {
        endpoint.answer_offer(now, usage, Err(StatusCode::NOT_ACCEPTABLE_HERE), Headers::new())
    });
    assert_eq!(bench.last("488").cseq().method.as_str(), "UPDATE");
}

#[test]
fn a_lost_ack_is_made_good_by_the_next_reinvite() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(Transport::Udp), "", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, Some(Body::sdp(ANSWER)), Headers::new()));
    bench.within(usage, "INVITE", 101, CONTACT, NEW);
    assert!(matches!(bench.event(), Event::Acked { body: None, .. }));
    assert!(matches!(bench.event(), Event::Offer { .. }));
}

#[test]
fn info_and_notify_are_for_the_user_and_options_is_not() {
    let (mut bench, usage) = called("");
    bench.within(
        usage,
        "INFO",
        101,
        "Content-Type: application/dtmf-relay\r\n",
        "Signal=5\r\nDuration=160\r\n",
    );
    let Event::InDialog { tx, request, .. } = bench.event() else {
        panic!()
    };
    assert_eq!(
        (request.content_type(), request.body()),
        (
            Some("application/dtmf-relay"),
            &b"Signal=5\r\nDuration=160\r\n"[..]
        )
    );
    bench.act(|endpoint, now| endpoint.reply_in_dialog(now, usage, tx, StatusCode::OK, Headers::new(), None));
    assert_eq!(bench.last("200").cseq().number, 101);
    bench.within(usage, "NOTIFY", 103, "Event: refer\r\n", "");
    assert!(matches!(bench.event(), Event::Notify { .. }));
    bench.within(usage, "MESSAGE", 104, "Content-Type: text/plain\r\n", "Hello");
    assert_eq!(bench.count("405"), 1);
    assert!(!bench.last("405").allow().any(|method| method == "MESSAGE"));
    bench.within(usage, "OPTIONS", 105, "", "");
    assert!(bench.events.is_empty() && bench.last("200").header(HeaderName::Allow).is_some());
    bench.within(usage, "SUBSCRIBE", 106, "Event: x\r\n", "");
    assert_eq!(bench.last("489").header(HeaderName::AllowEvents), Some("refer"));
    bench.within(usage, "INFO", 107, "Require: x-unheard\r\n", "");
    assert_eq!(
        bench.last("420").header(HeaderName::Unsupported),
        Some("x-unheard")
    );
}

#[test]
fn a_peer_that_knows_the_dialog_no_more_ends_it() {
    let (mut bench, usage) = calling(None, "");
    bench.act(|endpoint, now| {
        endpoint.info(
            now,
            usage,
            Body {
                content_type: "text/plain".into(),
                data: "x".into(),
            },
        )
    });
    bench.answer("INFO", StatusCode::CALL_DOES_NOT_EXIST, "", "", "");
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Timeout,
            ..
        }
    ));
    assert_eq!(bench.distinct("BYE"), 1);
    bench.is_clean_after_a_while();
}

#[test]
fn byes_that_cross_are_both_answered() {
    let (mut bench, usage) = calling(None, "");
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    bench.within(usage, "BYE", 1, "", "");
    assert_eq!((bench.count("200"), bench.events.len()), (1, 1));
    bench.answer("BYE", StatusCode::OK, "", "", "");
    bench.is_clean_after_a_while();
}

#[test]
fn a_call_with_jssip_outlasts_its_refreshes_by_update() {
    // JsSIP 3.13: Session-Expires 90 without a refresher, UPDATE without description every 45 s.
    let (mut bench, usage) =
        called("Session-Expires: 90\r\nSupported: timer,ice,replaces,outbound\r\nAllow: INVITE,UPDATE\r\n");
    assert_eq!(
        bench.last("200").header(HeaderName::SessionExpires),
        Some("90;refresher=uac")
    );
    assert_eq!(bench.last("200").header(HeaderName::Require), Some("timer"));
    for n in 1..=8 {
        bench.secs(45);
        bench.within(
            usage,
            "UPDATE",
            100 + n,
            &format!("{CONTACT}Session-Expires: 90;refresher=uac\r\n"),
            "",
        );
        let ok = bench.last("200");
        assert_eq!(
            (ok.cseq().number, ok.header(HeaderName::SessionExpires)),
            (100 + n, Some("90;refresher=uac"))
        );
        assert!(ok.header(HeaderName::Contact).is_some());
    }
    assert!(
        bench.events.is_empty() && bench.distinct("UPDATE") == 0,
        "we never refresh towards it"
    );
    insta::assert_snapshot!(bench.ladder());
    // Its tab is gone.
    bench.secs(59);
    assert!(bench.events.is_empty());
    bench.secs(2);
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::SessionExpired,
            ..
        }
    ));
    assert_eq!(bench.distinct("BYE"), 1);
}

#[test]
fn we_refresh_by_update_where_the_peer_takes_it() {
    let lines = "Session-Expires: 1800;refresher=uac\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n";
    let (mut bench, usage) = calling(Some(1800), lines);
    bench.secs(901);
    let update = bench.last("UPDATE");
    assert_eq!(
        update.header(HeaderName::SessionExpires),
        Some("1800;refresher=uac")
    );
    assert!(update.body().is_empty() && update.header(HeaderName::Contact).is_some());
    bench.answer(
        "UPDATE",
        StatusCode::OK,
        "",
        "Session-Expires: 1800;refresher=uac\r\n",
        "",
    );
    bench.secs(901);
    assert_eq!(bench.distinct("UPDATE"), 2);
    // 405 although it announced otherwise: re-INVITE with the session in force.
    bench.answer("UPDATE", StatusCode::METHOD_NOT_ALLOWED, "", "", "");
    bench.sleep(Duration::from_millis(1));
    let reinvite = bench.last("INVITE");
    assert_eq!(reinvite.body(), ANSWER.as_bytes());
    bench.answer(
        "INVITE",
        StatusCode::OK,
        "",
        &format!("{CONTACT}Session-Expires: 1800;refresher=uac\r\n"),
        OFFER,
    );
    assert!(bench.events.is_empty());
    assert!(bench.endpoint.usage(usage).is_some());
    insta::assert_snapshot!(bench.ladder());
}

#[test]
fn we_refresh_by_reinvite_where_update_is_not_allowed() {
    let lines = "Session-Expires: 90;refresher=uac\r\nAllow: ACK,CANCEL,INVITE,MESSAGE,BYE,OPTIONS,INFO,NOTIFY,REFER\r\n";
    let (mut bench, _) = calling(Some(90), lines);
    bench.secs(46);
    assert_eq!((bench.distinct("UPDATE"), bench.distinct("INVITE")), (0, 2));
    bench.answer("INVITE", StatusCode::REQUEST_PENDING, "", "", "");
    bench.secs(5);
    assert_eq!(bench.distinct("INVITE"), 3, "again after the back-off");
    bench.answer("INVITE", StatusCode::SERVER_INTERNAL_ERROR, "", "", "");
    bench.secs(6);
    bench.answer("INVITE", StatusCode::SERVER_INTERNAL_ERROR, "", "", "");
    bench.secs(10);
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::SessionExpired,
            ..
        }
    ));
}

#[test]
fn a_session_that_nobody_times_lasts() {
    let (mut bench, usage) = calling(None, "");
    bench.secs(86_400);
    assert!(bench.events.is_empty() && bench.endpoint.usage(usage).is_some());
    assert_eq!(bench.endpoint.counts().timers, 0);
}

#[test]
fn a_callee_that_knows_no_session_timer_is_refreshed_by_us_until_it_is_gone() {
    let (mut bench, usage) = calling(Some(1800), "");
    let ok = |bench: &mut Bench| bench.answer("INVITE", StatusCode::OK, "", CONTACT, OFFER);
    for n in 2..=5 {
        bench.secs(901);
        assert_eq!(bench.distinct("INVITE"), n);
        assert_eq!(
            bench.last("INVITE").header(HeaderName::SessionExpires),
            Some("1800;refresher=uac")
        );
        ok(&mut bench);
    }
    // The peer never agreed to an end: a refusal is a sign of life.
    for code in [
        StatusCode::NOT_ACCEPTABLE_HERE,
        StatusCode::SERVER_INTERNAL_ERROR,
        StatusCode::NOT_ACCEPTABLE_ANYWHERE,
    ] {
        bench.secs(901);
        bench.answer("INVITE", code, "", "", "");
        bench.secs(890);
        assert!(bench.events.is_empty() && bench.endpoint.usage(usage).is_some());
        bench.secs(11);
        ok(&mut bench);
    }
    bench.secs(901 + 33);
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Timeout,
            ..
        }
    ));
    assert_eq!(bench.distinct("BYE"), 1);
    bench.is_clean_after_a_while();
}

/// A call of the peer on which we want a session timer.
fn timed(lines: &str) -> (Bench, UsageId) {
    timed_by(lines, None)
}

fn timed_by(lines: &str, refresher: Option<sip_core::dialog::Duty>) -> (Bench, UsageId) {
    let mut bench = Bench::new();
    let usage = bench.called(peer(Transport::Udp), lines, OFFER);
    bench.act(|endpoint, now| {
        let wish = SessionWish {
            interval: Duration::from_secs(1800),
            refresher,
        };
        endpoint.want_session_timer(usage, wish);
        endpoint.accept(now, usage, Some(Body::sdp(ANSWER)), Headers::new());
    });
    bench.within(usage, "ACK", 100, "", "");
    bench.events.clear();
    (bench, usage)
}

#[test]
fn who_refreshes_is_as_we_wish_where_the_peer_leaves_it_open() {
    use sip_core::dialog::Duty;
    for (lines, refresher, expected) in [
        ("Supported: timer\r\n", None, "1800;refresher=uas"),
        ("Supported: timer\r\n", Some(Duty::Peers), "1800;refresher=uac"),
        ("Supported: replaces\r\n", Some(Duty::Peers), "1800;refresher=uas"),
        (
            "Supported: timer\r\nSession-Expires: 600\r\n",
            None,
            "600;refresher=uac",
        ),
        (
            "Supported: timer\r\nSession-Expires: 600\r\n",
            Some(Duty::Ours),
            "600;refresher=uas",
        ),
        (
            "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n",
            Some(Duty::Ours),
            "600;refresher=uac",
        ),
    ] {
        let (bench, _) = timed_by(lines, refresher);
        let ok = bench.last("200");
        assert_eq!(ok.header(HeaderName::SessionExpires), Some(expected), "{lines}");
    }
    for (refresher, expected) in [
        (None, "1800"),
        (Some(Duty::Ours), "1800;refresher=uac"),
        (Some(Duty::Peers), "1800;refresher=uas"),
    ] {
        let mut bench = Bench::new();
        bench.invite(OutgoingInvite {
            session_timer: Some(SessionWish {
                interval: Duration::from_secs(1800),
                refresher,
            }),
            ..outgoing("sip:bob@192.0.2.9")
        });
        let invite = bench.last("INVITE");
        assert_eq!(invite.header(HeaderName::SessionExpires), Some(expected));
    }
}

#[test]
fn a_caller_that_knows_no_session_timer_is_refreshed_by_us() {
    for lines in ["", "Supported: timer\r\n", "Supported: replaces\r\n"] {
        let (mut bench, usage) = timed(lines);
        let ok = bench.last("200");
        assert_eq!(
            ok.header(HeaderName::SessionExpires),
            Some("1800;refresher=uas"),
            "{lines}"
        );
        assert_eq!(ok.header(HeaderName::Require), None, "{lines}");
        // A change by the peer that does not mention timers leaves ours running.
        bench.within(usage, "INVITE", 101, CONTACT, NEW);
        bench.events.clear();
        bench.act(|endpoint, now| {
            endpoint.answer_offer(now, usage, Ok(Some(Body::sdp(MINE))), Headers::new());
        });
        bench.within(usage, "ACK", 101, "", "");
        bench.secs(901);
        let refresh = bench.last("INVITE");
        assert_eq!(
            (
                refresh.header(HeaderName::SessionExpires),
                refresh.header(HeaderName::MinSe)
            ),
            (Some("1800;refresher=uac"), Some("90")),
            "{lines}"
        );
        bench.answer("INVITE", StatusCode::OK, "", CONTACT, NEW);
        bench.secs(901 + 33);
        assert!(
            matches!(
                bench.event(),
                Event::Ended {
                    cause: Ended::Timeout,
                    ..
                }
            ),
            "{lines}"
        );
    }
}

#[test]
fn a_session_interval_that_a_proxy_asks_for_is_kept_up_by_us() {
    // RFC 4028 §9, table 2: the caller itself knows no session timers.
    let (mut bench, usage) = timed("Session-Expires: 90\r\nSupported: replaces\r\n");
    let ok = bench.last("200");
    assert_eq!(ok.header(HeaderName::SessionExpires), Some("90;refresher=uas"));
    assert_eq!(ok.header(HeaderName::Require), None);
    for n in 1..=10 {
        bench.secs(46);
        assert_eq!(bench.distinct("INVITE"), n);
        bench.answer("INVITE", StatusCode::OK, "", CONTACT, OFFER);
    }
    assert!(bench.events.is_empty() && bench.endpoint.usage(usage).is_some());
}

#[test]
fn a_refresh_is_repeated_with_a_nonce_that_is_new_without_being_called_so() {
    let challenge =
        |nonce: &str| format!("Proxy-Authenticate: Digest realm=\"p\", nonce=\"{nonce}\", qop=\"auth\"\r\n");
    let answers = |bench: &Bench, method: &str, nonce: &str| {
        let sent = bench.last(method);
        let line = sent.header(HeaderName::ProxyAuthorization).unwrap_or_default();
        assert!(line.contains(&format!("nonce=\"{nonce}\"")), "{method}: {line}");
    };
    for allow in ["INVITE, UPDATE", "INVITE"] {
        let mut bench = Bench::new();
        let usage = bench.invite(OutgoingInvite {
            session_timer: Some(SessionWish {
                interval: Duration::from_secs(90),
                refresher: None,
            }),
            credentials: Some(sip_core::endpoint::Credentials {
                username: "alice".into(),
                password: "secret".into(),
            }),
            ..outgoing("sip:bob@192.0.2.9")
        });
        bench.answer(
            "INVITE",
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            "x",
            &challenge("n1"),
            "",
        );
        let timer = "Session-Expires: 90;refresher=uac\r\n";
        let ok = format!("{CONTACT}Allow: {allow}\r\n{timer}");
        bench.answer("INVITE", StatusCode::OK, "bob", &ok, OFFER);
        bench.secs(46);
        let method = if allow == "INVITE" { "INVITE" } else { "UPDATE" };
        answers(&bench, method, "n1");
        bench.answer(
            method,
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            "",
            &challenge("n2"),
            "",
        );
        answers(&bench, method, "n2");
        bench.answer(
            method,
            StatusCode::OK,
            "",
            &ok,
            if allow == "INVITE" { OFFER } else { "" },
        );
        // An offer of ours, and its end.
        offer(&mut bench, usage, MINE);
        bench.answer(
            "INVITE",
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            "",
            &challenge("n3"),
            "",
        );
        answers(&bench, "INVITE", "n3");
        bench.answer("INVITE", StatusCode::OK, "", &ok, NEW);
        bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
        bench.answer(
            "BYE",
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            "",
            &challenge("n4"),
            "",
        );
        answers(&bench, "BYE", "n4");
        bench.answer("BYE", StatusCode::OK, "", "", "");
        bench.is_clean_after_a_while();
    }
}

#[test]
fn who_is_asked_whether_it_is_there_is_there_unless_it_says_that_nobody_is() {
    const PATIENCE: Duration = Duration::from_secs(6);
    for (code, lives) in [
        (StatusCode::OK, true),
        (StatusCode::METHOD_NOT_ALLOWED, true),
        (StatusCode::SERVER_INTERNAL_ERROR, true),
        (StatusCode::BUSY_HERE, true),
        (StatusCode::NOT_FOUND, false),
        (StatusCode::REQUEST_TIMEOUT, false),
        (StatusCode::CALL_DOES_NOT_EXIST, false),
    ] {
        let (mut bench, usage) = calling(None, "");
        assert!(bench.act(|endpoint, now| endpoint.ping(now, usage, PATIENCE)));
        assert!(
            !bench.act(|endpoint, now| endpoint.ping(now, usage, PATIENCE)),
            "one at a time"
        );
        bench.answer("OPTIONS", code, "", "", "");
        assert!(
            matches!(bench.event(), Event::Pinged { alive, .. } if alive == lives),
            "{code}"
        );
        bench.secs(40);
        assert!(bench.events.is_empty(), "{code}: said once");
    }
    let (mut bench, usage) = calling(None, "");
    bench.act(|endpoint, now| endpoint.ping(now, usage, PATIENCE));
    bench.secs(7);
    assert!(matches!(bench.event(), Event::Pinged { alive: false, .. }));
    bench.answer("OPTIONS", StatusCode::OK, "", "", "");
    assert!(bench.events.is_empty(), "too late");
    bench.act(|endpoint, now| endpoint.ping(now, usage, PATIENCE));
    let token = bench.find("OPTIONS").unwrap().token;
    bench
        .act(|endpoint, now| endpoint.handle_input(now, sip_core::endpoint::Input::TransmitFailed { token }));
    assert!(matches!(bench.event(), Event::Pinged { alive: false, .. }));
}

#[test]
fn too_small_an_interval_gets_422() {
    let mut bench = Bench::new();
    let lines = format!("{CONTACT}Session-Expires: 30\r\nSupported: timer\r\n");
    bench.receive(
        peer(Transport::Udp),
        crate::bench::request("INVITE", "sip:1001@192.0.2.1", &lines, OFFER),
    );
    assert_eq!(bench.last("422").header(HeaderName::MinSe), Some("90"));
    assert!(bench.events.is_empty());
}

#[test]
fn a_copy_of_the_2xx_to_our_reinvite_gets_its_ack_again() {
    let (mut bench, usage) = calling(None, "");
    offer(&mut bench, usage, MINE);
    let ok = response(&bench.last("INVITE"), StatusCode::OK, "", CONTACT, NEW);
    bench.receive(peer(Transport::Udp), ok.clone());
    let ack = bench.last("ACK");
    bench.receive(peer(Transport::Udp), ok);
    assert_eq!(bench.last("ACK").to_bytes(), ack.to_bytes());
    assert_eq!((bench.count("ACK"), bench.events.len()), (3, 1));
}

#[test]
fn requests_of_a_stranger_who_knows_the_tags_move_nothing() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut bench = Bench::new();
        let phone = peer(transport);
        let usage = bench.called(phone, "", OFFER);
        bench.act(|endpoint, now| {
            endpoint.restrict(usage, [phone.remote.ip()]);
            endpoint.accept(now, usage, Some(Body::sdp(ANSWER)), Headers::new());
        });
        let ack = bench.within_text(usage, "ACK", 100, "", "");
        bench.receive(phone, ack);
        let stranger = Flow {
            id: FlowId(66),
            remote: "198.51.100.66:4000".parse().unwrap(),
            ..phone
        };
        let mut cseq = 100;
        for (method, lines, body, code) in [
            ("OPTIONS", "", "", StatusCode::OK),
            ("MESSAGE", "", "", StatusCode::METHOD_NOT_ALLOWED),
            (
                "PRACK",
                "RAck: 1 1 INVITE\r\n",
                "",
                StatusCode::CALL_DOES_NOT_EXIST,
            ),
            ("PRACK", "RAck: 1 1 INVITE\r\n", NEW, StatusCode::FORBIDDEN),
            ("INFO", "", "", StatusCode::FORBIDDEN),
            ("NOTIFY", "Event: refer\r\n", "", StatusCode::FORBIDDEN),
            ("INVITE", CONTACT, NEW, StatusCode::FORBIDDEN),
        ] {
            cseq += 1;
            let text = bench.within_text(usage, method, cseq, lines, body);
            bench.receive(stranger, text);
            let answered = bench.sent.iter().rev().find_map(|sent| sent.message.status());
            assert_eq!(answered, Some(code), "{method} over {transport:?}");
        }
        let text = bench.within_text(usage, "OPTIONS", u32::MAX >> 1, "", "");
        bench.receive(stranger, text);
        let text = bench.within_text(usage, "OPTIONS", 101, "", "");
        bench.receive(phone, text);
        assert_eq!(bench.count("500"), 0, "the phone counts on as before");
        let known = bench.endpoint.usage(usage).and_then(|info| info.flow);
        assert_eq!(known, Some(phone), "what we send goes to the phone");
        bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
        let to = bench.find("BYE").expect("a BYE").to;
        assert!(
            matches!(&to, Destination::Flow(flow) if *flow == phone)
                || matches!(&to, Destination::Address { addr, .. } if addr.ip() == phone.remote.ip()),
            "{to:?}"
        );
    }
}

#[test]
fn an_info_of_a_package_is_refused_and_replaces_belongs_to_an_invite_alone() {
    let (mut bench, usage) = called("");
    bench.within(usage, "INFO", 101, "Info-Package: foo\r\n", "");
    assert!(bench.last("469").header(HeaderName::RecvInfo).is_some());
    bench.within(usage, "OPTIONS", 102, "Replaces: a;to-tag=1;from-tag=2\r\n", "");
    assert_eq!(bench.last("400").cseq().number, 102);
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    let lines = "Replaces: a;to-tag=1;from-tag=2\r\n";
    bench.receive(
        peer(Transport::Udp),
        request("OPTIONS", "sip:1001@192.0.2.1", lines, ""),
    );
    assert_eq!(bench.count("400"), 2);
}

#[test]
fn what_came_over_another_dialog_is_passed_on_and_its_outcome_told() {
    let (mut bench, usage) = called("");
    let body = Body {
        content_type: "text/plain".into(),
        data: "hello".into(),
    };
    let extra: Headers = vec![
        ("Subject".into(), "x".into()),
        ("Max-Forwards".into(), "7".into()),
    ];
    let sent = bench
        .act(|endpoint, now| endpoint.pass_on(now, usage, PassedOn::Message, &extra, Some(body.clone())));
    let message = bench.last("MESSAGE");
    assert_eq!((message.body(), message.max_forwards()), (&b"hello"[..], Some(7)));
    assert_eq!(message.header_named("Subject"), Some("x"));
    bench.answer("MESSAGE", StatusCode::ACCEPTED, "", "", "");
    let Event::Response {
        request, response, ..
    } = bench.event()
    else {
        panic!("{}", bench.ladder())
    };
    assert_eq!(
        (Some(request), response.status()),
        (sent, Some(StatusCode::ACCEPTED))
    );
    // A peer that knows the dialog no more ends it, after the outcome.
    let sent = bench.act(|endpoint, now| endpoint.pass_on(now, usage, PassedOn::Info, &extra, Some(body)));
    bench.answer("INFO", StatusCode::CALL_DOES_NOT_EXIST, "", "", "");
    assert!(matches!(bench.event(), Event::Response { request, .. } if Some(request) == sent));
    assert!(matches!(bench.event(), Event::Ended { .. }));
    let none = bench.act(|endpoint, now| endpoint.pass_on(now, usage, PassedOn::Info, &extra, None));
    assert_eq!(none, None);
    bench.answer("BYE", StatusCode::OK, "", "", "");
    bench.is_clean_after_a_while();
}
