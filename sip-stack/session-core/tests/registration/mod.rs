//! Registrations of trunks: with a registrar that challenges, over a network that loses, and the calls by them.

mod bench;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use session_core::identity::AssertedIn;
use session_core::{
    Caller, CallerId, ContactUser, Event, Fault, OutgoingCall, Party, RegistrationState, Source, SrtpPolicy,
    Trunk,
};
use sip_core::auth::Algorithm;
use sip_core::flow::{Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method, StatusCode};
use sip_core::uri::Uri;

use bench::{Bench, CARRIER, register, trunk};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn udp(peer: &str) -> Flow {
    Flow {
        id: FlowId(1),
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().expect("an address"),
        remote: format!("{peer}:5060").parse().expect("an address"),
    }
}

/// User part of our Contact.
fn contact(request: &Message) -> String {
    let contact = request.contact().expect("a Contact");
    contact.uri.user().unwrap_or_default().to_owned()
}

fn invite(user: &str, to: &str, lines: &str) -> Bytes {
    let sdp =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    Bytes::from(format!(
        "INVITE sip:{user}@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK{user}{to}\r\nMax-Forwards: 70\r\n\
         From: <sip:+49170@carrier.example>;tag=1\r\nTo: <sip:{to}@carrier.example>\r\nCall-ID: {user}{to}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:192.0.2.99>\r\n{lines}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    ))
}

/// Source and dialled number of the last call that came in.
fn last_call(bench: &Bench) -> Option<(Source, String)> {
    let mut calls = bench.events.iter().filter_map(|event| match event {
        Event::Incoming { call, .. } => Some((call.source.clone(), call.to.clone())),
        _ => None,
    });
    calls.next_back()
}

fn dial(bench: &mut Bench, number: &str) -> Message {
    let call = OutgoingCall {
        party: Party::Trunk {
            name: "carrier".into(),
            number: number.into(),
        },
        caller: Caller {
            user: "alice".into(),
            display: "Alice".into(),
        },
        ring_timeout: seconds(60),
        application: None,
    };
    let now = bench.now;
    bench
        .coordinator
        .create_outgoing_call(now, call)
        .expect("a party");
    bench.drain();
    let (_, invite) = bench.requests(&Method::Invite).pop().expect("an INVITE");
    invite
}

#[test]
fn it_stays_registered_though_a_fifth_of_all_messages_is_lost_and_nonces_grow_stale() {
    for (seed, algorithm) in [
        (1, Algorithm::Md5),
        (2, Algorithm::Sha256),
        (3, Algorithm::Md5),
        (4, Algorithm::Sha512_256),
    ] {
        let mut bench = Bench::with(
            seed,
            [("carrier".to_owned(), trunk("4930"))].into(),
            vec![algorithm],
        );
        bench.loss = 20;
        bench.registrar.as_proxy = seed == 3;
        // Longer than a nonce lives, and shorter than two refreshes.
        bench.registrar.max_expires = if seed == 1 { 90 } else { 3_600 };
        bench.run(seconds(6 * 3_600));
        assert!(bench.is_registered(), "{algorithm:?}: {:?}", bench.states());
        assert_eq!(bench.registrar.lapsed, 0, "{algorithm:?}");
        assert_eq!(bench.registrar.bindings.len(), 1, "one Contact all the time");
        let granted = bench.registrar.granted.len();
        assert!((30..600).contains(&granted), "{granted} refreshes");
        let first = &bench.registrar.granted[0].1;
        assert_eq!(first.request_uri(), Some("sip:carrier.example"));
        assert_eq!(first.from().uri.to_string(), "sip:4930@carrier.example");
        assert_eq!(first.to().uri.to_string(), "sip:4930@carrier.example");
        assert_eq!(contact(first).len(), 32);
    }
}

#[test]
fn a_known_nonce_saves_the_challenge_of_each_refresh() {
    let mut bench = Bench::new(trunk("4930"));
    bench.registrar.max_expires = 60;
    bench.run(seconds(1_000));
    let (sent, granted) = (
        bench.requests(&Method::Register).len(),
        bench.registrar.granted.len(),
    );
    assert!(
        granted >= 30 && sent < granted + granted / 3,
        "{sent} sent, {granted} granted"
    );
}

#[test]
fn it_asks_for_the_time_that_the_registrar_wants() {
    let mut bench = Bench::new(trunk("4930"));
    bench.registrar.min_expires = 1_800;
    bench.run(seconds(4));
    assert!(bench.is_registered());
    let asked: Vec<_> = bench
        .requests(&Method::Register)
        .iter()
        .map(|(_, m)| m.expires())
        .collect();
    assert!(
        asked.contains(&Some(600)) && asked.last() == Some(&Some(1_800)),
        "{asked:?}"
    );
    bench.run(seconds(2_000));
    let (_, refresh) = bench.requests(&Method::Register).pop().expect("a refresh");
    assert_eq!(refresh.expires(), Some(1_800), "remembered");
    // One that asks for no more than it was asked for is not believed twice.
    let mut bench = Bench::new(trunk("4930"));
    bench.registrar.refusal = Some((423, "Min-Expires: 600\r\n"));
    bench.run(seconds(60));
    assert_eq!(
        bench.state(),
        Some(RegistrationState::Refused(StatusCode::INTERVAL_TOO_BRIEF))
    );
    assert!(bench.requests(&Method::Register).len() <= 6);
}

#[test]
fn only_the_time_granted_to_our_own_contact_counts() {
    let mut bench = Bench::new(trunk("4930"));
    bench.registrar.max_expires = 100;
    // Another phone of the same account was registered for longer, and a third one will end sooner.
    bench.registrar.lines =
        "Contact: <sip:4930@192.0.2.77>;expires=3600\r\nContact: <sip:other@192.0.2.1:5060>;expires=5\r\n"
            .into();
    bench.run(seconds(1_000));
    assert_eq!(bench.registrar.lapsed, 0);
    let granted = bench.registrar.granted.len();
    assert!(
        (14..24).contains(&granted),
        "{granted}: not before it is due either"
    );
}

#[test]
fn who_is_refused_for_good_stays_away_until_the_settings_are_read_again() {
    for (code, status) in [(403, StatusCode::FORBIDDEN), (404, StatusCode::NOT_FOUND)] {
        let mut bench = Bench::new(trunk("4930"));
        bench.registrar.refusal = Some((code, ""));
        bench.run(seconds(24 * 3_600));
        assert_eq!(bench.requests(&Method::Register).len(), 1);
        assert_eq!(bench.states(), [RegistrationState::Stopped(status)]);
        bench.registrar.refusal = None;
        bench.reload([("carrier", trunk("4930"))]);
        bench.run(seconds(4));
        assert!(bench.is_registered());
    }
}

#[test]
fn a_wrong_password_is_not_tried_often() {
    let mut wrong = trunk("4930");
    wrong.password = Some("sesame".into());
    let mut bench = Bench::new(wrong);
    bench.registrar.refusal = Some((401, "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"1\"\r\n"));
    bench.run(seconds(3_600));
    let sent = bench.requests(&Method::Register).len();
    assert!((12..=26).contains(&sent), "{sent}: two every five minutes");
    assert_eq!(
        bench.states(),
        [RegistrationState::Refused(StatusCode::UNAUTHORIZED)]
    );
    // The password is put right.
    bench.registrar.refusal = None;
    bench.reload([("carrier", trunk("4930"))]);
    bench.run(seconds(4));
    assert!(bench.is_registered());
}

#[test]
fn it_comes_back_after_the_time_that_the_registrar_names() {
    let mut bench = Bench::new(trunk("4930"));
    bench.registrar.refusal = Some((503, "Retry-After: 90\r\n"));
    bench.run(seconds(80));
    assert_eq!(bench.requests(&Method::Register).len(), 1);
    bench.registrar.refusal = None;
    bench.run(seconds(40));
    assert!(bench.is_registered());
}

fn many(number: usize) -> BTreeMap<String, Trunk> {
    (0..number)
        .map(|n| (format!("carrier-{n}"), trunk(&format!("49{n:05}"))))
        .collect()
}

/// Most first REGISTERs of a second.
fn busiest(bench: &Bench) -> usize {
    let times: Vec<_> = bench
        .requests(&Method::Register)
        .into_iter()
        .filter(|(_, request)| request.header(HeaderName::Authorization).is_none())
        .map(|(at, _)| at)
        .collect();
    let within = |from: usize| {
        times[from..]
            .iter()
            .take_while(|at| at.since(times[from]) < seconds(1))
            .count()
    };
    (0..times.len()).map(within).max().unwrap_or_default()
}

#[test]
fn five_hundred_are_registered_in_ten_seconds_without_a_storm() {
    let mut bench = Bench::with(3, many(500), vec![Algorithm::Md5]);
    bench.run(seconds(11));
    assert_eq!(bench.registrar.bindings.len(), 500);
    let took = bench.registrar.granted[499]
        .0
        .since(sans_io::Time::from_secs(1_000));
    assert!(took <= Duration::from_millis(10_200), "{took:?}");
    assert!(busiest(&bench) <= 50, "{} in a second", busiest(&bench));
    println!("500 registrations in {took:?}");
}

#[test]
fn after_an_outage_five_hundred_come_back_without_a_storm() {
    let mut bench = Bench::with(4, many(500), vec![Algorithm::Md5]);
    bench.run(seconds(300));
    bench.registrar.is_away = true;
    // All are due, and fail.
    bench.run(seconds(500));
    bench.registrar.is_away = false;
    bench.registrar.bindings.clear();
    bench.registrar.granted.clear();
    let back = bench.now;
    bench.run(seconds(400));
    assert_eq!(bench.registrar.bindings.len(), 500);
    assert!(busiest(&bench) <= 50, "{} in a second", busiest(&bench));
    let mut times: Vec<u64> = bench
        .registrar
        .granted
        .iter()
        .map(|(at, _)| at.since(back).as_secs())
        .collect();
    times.truncate(500);
    times.sort_unstable();
    println!(
        "back after an outage: half in {} s, all in {} s",
        times[250], times[499]
    );
    assert!(times[499] <= 340, "{} s", times[499]);
    assert_eq!(bench.coordinator.trunks().len(), 500);
}

#[test]
fn it_is_given_up_when_the_trunk_is_removed_or_changed_and_at_the_end() {
    let mut bench = Bench::new(trunk("4930"));
    bench.run(seconds(4));
    let old = contact(&bench.registrar.granted[0].1);
    // Nothing has changed: nothing happens.
    let before = bench.sent.len();
    bench.reload([("carrier", trunk("4930"))]);
    bench.run(seconds(4));
    assert_eq!(bench.sent.len(), before);
    // Another account: the old one is given up.
    bench.reload([("carrier", trunk("4940"))]);
    bench.run(seconds(4));
    let bindings = |bench: &Bench| {
        bench
            .registrar
            .granted
            .iter()
            .map(|(_, m)| m.to().uri.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        bindings(&bench),
        ["sip:4930@carrier.example", "sip:4940@carrier.example"]
    );
    let gone: Vec<_> = bench
        .requests(&Method::Register)
        .into_iter()
        .filter(|(_, m)| m.expires() == Some(0))
        .collect();
    assert!(!gone.is_empty() && gone.iter().all(|(_, m)| contact(m) == old));
    assert!(bench.is_registered());
    // Removed.
    bench.reload([]);
    bench.run(seconds(4));
    assert!(bench.registrar.bindings.is_empty() && bench.state().is_none());
    // The end, with a registrar that is away: nobody waits for ever.
    let mut bench = Bench::with(5, many(500), vec![Algorithm::Md5]);
    bench.run(seconds(20));
    let now = bench.now;
    bench.coordinator.unregister_all(now);
    bench.drain();
    bench.run(seconds(3));
    assert!(bench.registrar.bindings.is_empty() && !bench.coordinator.is_registered());
    let mut bench = Bench::new(trunk("4930"));
    bench.registrar.is_away = true;
    bench.run(seconds(1));
    let now = bench.now;
    bench.coordinator.unregister_all(now);
    assert!(!bench.coordinator.is_registered(), "nothing was registered");
}

#[test]
fn a_call_to_our_contact_is_the_trunk_s_wherever_it_comes_from() {
    let mut bench = Bench::new(trunk("4930"));
    bench.run(seconds(4));
    let user = contact(&bench.registrar.granted[0].1);
    // From an address that nobody knows, with the number in To, or where the carrier says it.
    bench.receive(udp("198.51.100.7"), invite(&user, "+493012", ""));
    assert_eq!(
        last_call(&bench),
        Some((Source::Trunk("carrier".into()), "+493012".into()))
    );
    bench.receive(
        udp("198.51.100.8"),
        invite(
            &user,
            "4930",
            "P-Called-Party-ID: <sip:+493013@carrier.example>\r\n",
        ),
    );
    assert_eq!(
        last_call(&bench),
        Some((Source::Trunk("carrier".into()), "+493013".into()))
    );
    // From the registrar itself, to a number.
    bench.receive(udp(CARRIER), invite("+493014", "+493014", ""));
    assert_eq!(
        last_call(&bench),
        Some((Source::Trunk("carrier".into()), "+493014".into()))
    );
    // A guess from elsewhere is a stranger's call.
    bench.receive(udp("198.51.100.9"), invite(&user[..31], "+493015", ""));
    bench.receive(udp("198.51.100.9"), invite("4930", "+493016", ""));
    assert_eq!(last_call(&bench).map(|(_, to)| to), Some("+493014".into()));
}

#[test]
fn a_contact_that_can_be_guessed_counts_only_from_the_trunk() {
    let mut named = trunk("4930");
    register(&mut named).contact = ContactUser::Named("4930".into());
    named.sources = vec!["198.51.100.7".parse().expect("an address")];
    let mut bench = Bench::new(named);
    bench.run(seconds(4));
    for (n, (from, known)) in [(CARRIER, true), ("198.51.100.7", true), ("198.51.100.9", false)]
        .into_iter()
        .enumerate()
    {
        bench.events.clear();
        bench.receive(udp(from), invite("4930", &format!("+49301{n}"), ""));
        assert_eq!(last_call(&bench).is_some(), known, "{from}");
    }
}

#[test]
fn trunks_at_one_registrar_are_told_apart() {
    let mut bench = Bench::with(6, many(20), vec![Algorithm::Md5]);
    bench.run(seconds(4));
    for n in [0, 7, 19] {
        let of = bench
            .registrar
            .granted
            .iter()
            .find(|(_, m)| m.to().uri.user() == Some(&format!("49{n:05}")));
        let user = contact(&of.expect("it registered").1);
        bench.receive(udp(CARRIER), invite(&user, &format!("+4930{n}"), ""));
        assert_eq!(
            last_call(&bench),
            Some((Source::Trunk(format!("carrier-{n}")), format!("+4930{n}")))
        );
    }
}

#[test]
fn calls_show_the_account_and_follow_the_service_route() {
    let mut bench = Bench::new(trunk("4930"));
    let before = dial(&mut bench, "+4940");
    assert!(before.header(HeaderName::Route).is_none());
    bench.registrar.lines = "Service-Route: <sip:192.0.2.60;lr>, <sip:edge.example;lr>\r\n".into();
    bench.run(seconds(4));
    let user = contact(&bench.registrar.granted[0].1);
    let call = dial(&mut bench, "+4941");
    assert_eq!(call.request_uri(), Some("sip:+4941@192.0.2.50"));
    assert_eq!(call.from().uri.to_string(), "sip:4930@carrier.example");
    assert_eq!(contact(&call), user);
    let routes: Vec<_> = call.headers(HeaderName::Route).collect();
    assert_eq!(routes, ["<sip:192.0.2.60;lr>", "<sip:edge.example;lr>"]);
    let (_, to, _) = bench.sent.last().expect("the INVITE");
    assert_eq!(to.to_string(), "192.0.2.60:5060");
    // The caller's own number, in another domain.
    let other = Trunk {
        caller_id: CallerId::Pass,
        from_domain: Some("numbers.example".into()),
        ..trunk("4930")
    };
    bench.reload([("carrier", other)]);
    let call = dial(&mut bench, "+4942");
    assert_eq!(call.from().uri.to_string(), "sip:alice@numbers.example");
}

#[test]
fn an_outbound_proxy_is_on_the_way_of_everything() {
    let proxy = Uri::parse("sip:192.0.2.50:5080;lr").expect("a URI");
    let mut bench = Bench::new(Trunk {
        host: "carrier.example".into(),
        outbound_proxy: Some(proxy),
        ..trunk("4930")
    });
    bench.run(seconds(4));
    assert!(bench.is_registered());
    let call = dial(&mut bench, "+4940");
    for message in [&bench.registrar.granted[0].1, &call] {
        assert_eq!(
            message.header(HeaderName::Route),
            Some("<sip:192.0.2.50:5080;lr>")
        );
    }
    assert!(
        bench
            .sent
            .iter()
            .all(|(_, to, _)| to.to_string() == "192.0.2.50:5080")
    );
}

#[test]
fn a_bulk_registration_is_for_all_numbers() {
    let mut bulk = trunk("pbx");
    register(&mut bulk).contact = ContactUser::Numbers;
    let mut bench = Bench::new(bulk);
    bench.registrar.max_expires = 200;
    bench.run(seconds(1_000));
    assert_eq!(bench.registrar.lapsed, 0);
    let request = &bench.registrar.granted[0].1;
    assert_eq!(
        request.header(HeaderName::Contact),
        Some("<sip:192.0.2.1:5060;bnc>")
    );
    assert_eq!(request.header(HeaderName::Require), Some("gin"));
    assert_eq!(request.header(HeaderName::ProxyRequire), Some("gin"));
    bench.receive(udp(CARRIER), invite("+493099", "+493099", ""));
    assert_eq!(
        last_call(&bench),
        Some((Source::Trunk("carrier".into()), "+493099".into()))
    );
}

/// A trunk over TCP whose calls go over the flow of the REGISTER.
fn outbound() -> Trunk {
    let mut outbound = Trunk {
        transport: Transport::Tcp,
        ..trunk("4930")
    };
    register(&mut outbound).outbound = true;
    outbound
}

#[test]
fn an_outbound_registration_keeps_its_flow_and_finds_another() {
    let mut bench = Bench::new(outbound());
    bench.registrar.lines = "Flow-Timer: 60\r\nService-Route: <sip:edge.example;lr>\r\n".into();
    bench.run(seconds(250));
    let request = bench.registrar.granted[0]
        .1
        .header(HeaderName::Contact)
        .expect("a Contact")
        .to_owned();
    assert!(
        request.contains(";+sip.instance=\"<urn:uuid:") && request.contains(";reg-id=1"),
        "{request}"
    );
    let alive = bench.requests(&Method::Options).len();
    assert!((4..=6).contains(&alive), "{alive} keep-alives");
    // Calls go over the flow, by the route that the registrar gave.
    let call = dial(&mut bench, "+4940");
    assert_eq!(call.header(HeaderName::Route), Some("<sip:edge.example;lr>"));
    let (_, to, _) = bench.sent.last().expect("the INVITE");
    assert_eq!(to.to_string(), "192.0.2.50:5060");
    // The flow had worked: the next one is there at once, and is the same binding.
    let granted = bench.registrar.granted.len();
    bench.close_flow();
    assert_eq!(
        bench.state(),
        Some(RegistrationState::Unanswered(Fault::Unreachable))
    );
    bench.run(seconds(2));
    assert!(bench.is_registered() && bench.registrar.granted.len() == granted + 1);
    // One that does not last is not made again and again.
    for _ in 0..20 {
        bench.close_flow();
        bench.run(seconds(20));
    }
    let granted = bench.registrar.granted.len() - granted;
    assert!((2..=22).contains(&granted), "{granted}");
    bench.run(seconds(600));
    // A flow that is dead without a word is found out by its keep-alive.
    bench.registrar.is_away = true;
    let silent_at = bench.now;
    bench.run(seconds(75));
    assert!(!bench.is_registered(), "{:?}", bench.state());
    bench.registrar.is_away = false;
    bench.run(seconds(200));
    assert!(bench.is_registered(), "{:?} since {silent_at:?}", bench.states());
}

/// Values of a header, each line one.
fn lines(message: &Message, name: &str) -> Vec<String> {
    message.headers_named(name).map(str::to_owned).collect()
}

#[test]
fn a_registrar_is_told_of_the_encryption_of_media_and_calls_repeat_what_it_said() {
    let secure = |mediasec| Trunk {
        srtp: SrtpPolicy::Required,
        mediasec,
        ..trunk("4930")
    };
    let said = ["msrp-tls;mediasec", "sdes-srtp;mediasec"];
    let server = "Security-Server: msrp-tls;mediasec\r\nSecurity-Server: sdes-srtp;mediasec\r\n";
    let mut bench = Bench::new(secure(true));
    bench.registrar.challenge_lines = server;
    bench.run(seconds(700));
    let registers = bench.requests(&Method::Register);
    for (at, (_, register)) in registers.iter().enumerate() {
        assert_eq!(lines(register, "Security-Client"), ["sdes-srtp;mediasec"]);
        assert_eq!(lines(register, "Require"), ["mediasec"]);
        assert_eq!(lines(register, "Proxy-Require"), ["mediasec"]);
        let verify = lines(register, "Security-Verify");
        match at {
            0 => assert!(verify.is_empty(), "nothing was said yet"),
            _ => assert_eq!(verify, said, "RFC 3329 §2.3.1"),
        }
    }
    assert!(registers.len() >= 3, "the refresh as well");
    let invite = dial(&mut bench, "0171");
    assert_eq!(lines(&invite, "Security-Verify"), said);
    assert_eq!(lines(&invite, "Require"), ["mediasec"]);
    assert_eq!(lines(&invite, "Proxy-Require"), ["mediasec"]);
    let sdp = String::from_utf8_lossy(invite.body()).into_owned();
    assert!(
        sdp.contains("a=crypto:") && sdp.contains("a=3ge2ae:requested\r\n"),
        "{sdp}"
    );

    // A registrar that says nothing is not held to anything.
    let mut bench = Bench::new(secure(true));
    bench.run(seconds(2));
    assert!(bench.is_registered());
    assert!(lines(&dial(&mut bench, "0171"), "Require").is_empty());

    let mut bench = Bench::new(secure(false));
    bench.registrar.challenge_lines = server;
    bench.run(seconds(2));
    for (_, register) in bench.requests(&Method::Register) {
        assert!(lines(&register, "Security-Client").is_empty());
        assert!(lines(&register, "Security-Verify").is_empty());
    }
    let invite = dial(&mut bench, "0171");
    assert!(lines(&invite, "Security-Verify").is_empty());
    assert!(!String::from_utf8_lossy(invite.body()).contains("3ge2ae"));
}

#[test]
fn from_is_the_account_and_the_identity_beside_is_the_caller() {
    let mut carrier = Trunk {
        from_user: Some("1234567t0".into()),
        caller_id: CallerId::Fixed("+49301234".into()),
        ..trunk("1234567t0")
    };
    carrier.identity.asserted_in = vec![AssertedIn::PPreferredIdentity];
    let mut bench = Bench::new(carrier);
    bench.run(seconds(2));
    let invite = dial(&mut bench, "0171");
    assert_eq!(invite.from().uri.user(), Some("1234567t0"));
    let identity = lines(&invite, "P-Preferred-Identity");
    assert!(
        identity[0].contains("<sip:+49301234@carrier.example>"),
        "{identity:?}"
    );
}
