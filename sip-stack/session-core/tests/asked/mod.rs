//! REFER outside of a call (click to dial): whoever asks is called first, then the target, as if it had been dialled there.

use media_core::control::{Application, Command, LegId};
use session_core::{Access, CallRecord, Cap, CapPer, Cause, Config, Event, Quota, Source};
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use crate::carried::bench::{Bench, CARRIER, OTHER, PAGE, PHONE, Peer, config, sdp};

const TO: &str = "Refer-To: <sip:0305551234@192.0.2.1>\r\n";

/// 1001 asks for a call; the answer.
fn ask(bench: &mut Bench, lines: &str) -> StatusCode {
    bench.authenticated(PHONE, "REFER", "sip:1001@192.0.2.1", lines, "");
    let answers = bench.sent.iter().rev();
    let answer = answers
        .map(|(_, message)| message)
        .find(|message| message.status().is_some() && message.cseq().method == Method::Refer);
    answer.and_then(Message::status).expect("an answer")
}

/// Progress that the one who asked was told: each NOTIFY once, by its number.
fn told(bench: &Bench) -> Vec<(u16, String)> {
    let mut told = std::collections::BTreeMap::new();
    for (_, notify) in bench
        .sent
        .iter()
        .filter(|(_, message)| message.is(&Method::Notify))
    {
        let body = std::str::from_utf8(notify.body()).expect("text");
        let code = body.split(' ').nth(1).and_then(|code| code.parse().ok());
        let state = notify.header(HeaderName::SubscriptionState).unwrap_or_default();
        let state = state.split(";expires").next().unwrap_or_default().to_owned();
        told.insert(notify.cseq().number, (code.expect("a status"), state));
    }
    told.into_values().collect()
}

fn active(codes: &[u16]) -> Vec<(u16, String)> {
    codes.iter().map(|code| (*code, "active".to_owned())).collect()
}

fn over(codes: &[u16], last: u16) -> Vec<(u16, String)> {
    let mut told = active(codes);
    told.push((last, "terminated;reason=noresource".to_owned()));
    told
}

/// 1001 asked, and its phone rings: the INVITE to it.
fn rings() -> (Bench, Message) {
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    assert_eq!(ask(&mut bench, TO), StatusCode::ACCEPTED);
    let invite = bench.invited(PHONE);
    (bench, invite)
}

/// The same, and 1001 answered: the INVITEs to it and to the carrier.
fn waits() -> (Bench, [Message; 2]) {
    let (mut bench, own) = rings();
    bench.respond(PHONE, &own, StatusCode::RINGING, "p", "", "");
    bench.respond(PHONE, &own, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    let invite = bench.invited(CARRIER);
    (bench, [own, invite])
}

fn bridged(bench: &Bench) -> Vec<LegId> {
    let last = bench.commands.iter().rev().find_map(|command| match command {
        Command::Bridge { members, .. } => Some(members.iter().map(|member| member.leg).collect()),
        _ => None,
    });
    last.unwrap_or_default()
}

fn records(bench: &Bench) -> Vec<&CallRecord> {
    let records = bench.events.iter().filter_map(|event| match event {
        Event::Ended { record, .. } => Some(&**record),
        _ => None,
    });
    records.collect()
}

/// The one who was told BYE last answers it, and all is over.
fn gone(bench: &mut Bench, peer: Peer) {
    let bye = bench.last(&Method::Bye).expect("a BYE");
    bench.respond(peer, &bye, StatusCode::OK, "", "", "");
    bench.wait(60);
    let stats = bench.act(|gateway, _| gateway.stats());
    assert_eq!((stats.sessions, stats.legs), (0, 0));
}

#[test]
fn the_phone_of_whoever_asks_rings_and_then_the_target_as_if_it_had_been_dialled() {
    let (mut bench, own) = rings();
    assert_eq!(
        own.from().uri.user(),
        Some("0305551234"),
        "the phone shows the target"
    );
    assert_eq!(told(&bench), active(&[100]));
    let came = |bench: &Bench| {
        bench
            .events
            .iter()
            .any(|event| matches!(event, Event::Incoming { .. }))
    };
    bench.respond(PHONE, &own, StatusCode::RINGING, "p", "", "");
    assert!(!came(&bench), "nobody is there yet who calls");
    bench.respond(PHONE, &own, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    let calls: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Incoming { call, .. } => Some(call.clone()),
            _ => None,
        })
        .collect();
    let [call] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(call.source, Source::User("1001".into()));
    assert_eq!((&*call.from, &*call.to), ("1001", "0305551234"));
    let invite = bench.invited(CARRIER);
    assert_eq!(invite.from().uri.user(), Some("1001"), "it is the user's call");
    assert_eq!(told(&bench), active(&[100]));
    bench.respond(CARRIER, &invite, StatusCode::RINGING, "c", "", "");
    assert_eq!(told(&bench), active(&[100, 180]));
    let caller = bench.opened()[0];
    let sound = bench.commands.iter().rev().find_map(|command| match command {
        Command::Play { leg, application, .. } if *leg == caller => Some(application.clone()),
        _ => None,
    });
    assert!(
        matches!(sound, Some(Some(Application::Ringback))),
        "whoever asked hears that it rings: {sound:?}"
    );
    bench.respond(CARRIER, &invite, StatusCode::OK, "c", "", &sdp(20, 5_000, 0));
    assert_eq!(told(&bench), over(&[100, 180], 200));
    assert_eq!(bridged(&bench), bench.opened());
    bench.wait(3);
    bench.act(|gateway, now| {
        let session = gateway.session_of_leg(caller).unwrap();
        gateway.terminate_session(now, session);
    });
    for (_, bye) in bench
        .sent
        .clone()
        .iter()
        .filter(|(_, message)| message.is(&Method::Bye))
    {
        let peer = if bye.call_id() == own.call_id() {
            PHONE
        } else {
            CARRIER
        };
        bench.respond(peer, bye, StatusCode::OK, "", "", "");
    }
    bench.wait(60);
    let records = records(&bench);
    assert_eq!(records.len(), 1);
    let record = records[0];
    assert_eq!(record.source, Some(Source::User("1001".into())));
    assert_eq!(
        (&*record.from, &*record.to, record.legs.len()),
        ("1001", "0305551234", 2)
    );
    assert!(record.answered.is_some());
}

#[test]
fn a_phone_that_does_not_answer_is_the_outcome() {
    let (mut bench, own) = rings();
    bench.respond(PHONE, &own, StatusCode::BUSY_HERE, "p", "", "");
    assert_eq!(told(&bench), over(&[100], 486));
    assert_eq!(bench.count(&Method::Invite), 1, "the target is not called");
    bench.wait(60);
    let (bench, _) = {
        let (mut bench, own) = rings();
        let notify = bench.last(&Method::Notify).expect("a NOTIFY");
        bench.respond(PHONE, &notify, StatusCode::OK, "", "", "");
        bench.respond(PHONE, &own, StatusCode::RINGING, "p", "", "");
        bench.wait(50);
        bench.respond(PHONE, &own, StatusCode::REQUEST_TERMINATED, "p", "", "");
        (bench, own)
    };
    assert!(bench.last(&Method::Cancel).is_some());
    assert_eq!(told(&bench), over(&[100], 480));
}

#[test]
fn a_target_that_refuses_is_the_outcome_and_the_phone_is_hung_up_with_the_reason() {
    let (mut bench, [own, invite]) = waits();
    bench.respond(CARRIER, &invite, StatusCode::BUSY_HERE, "c", "", "");
    assert_eq!(told(&bench), over(&[100], 486));
    let bye = bench.last(&Method::Bye).expect("a BYE");
    assert_eq!(bye.call_id(), own.call_id());
    assert_eq!(bye.header(HeaderName::Reason), Some("SIP;cause=486"));
    gone(&mut bench, PHONE);
    let records = records(&bench);
    assert_eq!(
        (records[0].cause, records[0].code),
        (Cause::Refused, StatusCode::BUSY_HERE)
    );
    assert_eq!(records[0].answered, None);
}

#[test]
fn whoever_asked_hangs_up_while_the_target_rings() {
    let (mut bench, [own, invite]) = waits();
    bench.respond(CARRIER, &invite, StatusCode::RINGING, "c", "", "");
    let bye = format!(
        "From: <sip:1001@192.0.2.1>;tag=p\r\nTo: <sip:x@192.0.2.1>;tag={}\r\n",
        own.from().tag().unwrap()
    );
    let text = format!(
        "BYE sip:gw@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKbye\r\nMax-Forwards: 70\r\n{bye}\
         Call-ID: {}\r\nCSeq: 5 BYE\r\nContent-Length: 0\r\n\r\n",
        own.call_id()
    );
    bench.receive(PHONE, text);
    assert_eq!(told(&bench), over(&[100, 180], 487));
    assert_eq!(bench.count(&Method::Cancel), 1, "the target rings no more");
    assert_eq!(bench.count(&Method::Bye), 0);
}

#[test]
fn whoever_asked_is_answered_by_the_application_in_place_of_a_target() {
    let (mut bench, own) = rings();
    bench.leaves_calls = true;
    bench.respond(PHONE, &own, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    let caller = bench.last_leg();
    bench.act(|gateway, now| gateway.answer(now, caller, Some(Application::Echo)));
    assert_eq!(told(&bench), over(&[100], 200));
    let echoes = |command: &Command| matches!(command, Command::Play { leg, application: Some(Application::Echo), .. } if *leg == caller);
    assert!(bench.commands.iter().any(echoes));
    let answered = |event: &Event| matches!(event, Event::Answered { leg, .. } if *leg == caller);
    assert_eq!(bench.events.iter().filter(|event| answered(event)).count(), 1);
    assert_eq!(bench.count(&Method::Invite), 1);
}

#[test]
fn whoever_wants_no_reports_gets_none() {
    for lines in ["Refer-Sub: false\r\n", "Require: nosub\r\n"] {
        let mut bench = Bench::new();
        bench.register(PHONE, "");
        assert_eq!(ask(&mut bench, &format!("{TO}{lines}")), StatusCode::OK);
        let own = bench.invited(PHONE);
        bench.respond(PHONE, &own, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
        let invite = bench.invited(CARRIER);
        bench.respond(CARRIER, &invite, StatusCode::OK, "c", "", &sdp(20, 5_000, 0));
        assert_eq!(bridged(&bench).len(), 2);
        assert_eq!(bench.count(&Method::Notify), 0);
    }
}

#[test]
fn who_may_not_is_refused_and_nobody_rings() {
    let mut bench = Bench::new();
    // Without a challenge answered, nothing is known of the sender.
    bench.request(PHONE, "REFER", "sip:1001@192.0.2.1", TO, "");
    assert_eq!(bench.last_response().status(), Some(StatusCode::UNAUTHORIZED));
    let wrong = "Refer-To: <sip:5@192.0.2.1>\r\nFrom: <sip:1002@192.0.2.1>;tag=other\r\n";
    let refused = [
        (
            TO,
            StatusCode::TEMPORARILY_UNAVAILABLE,
            "no phone of 1001 is there",
        ),
        (wrong, StatusCode::FORBIDDEN, "1001 is not 1002"),
    ];
    for (lines, code, why) in refused {
        assert_eq!(ask(&mut bench, lines), code, "{why}");
    }
    bench.register(PHONE, "");
    let foreign = "Refer-To: <sip:5@elsewhere.example>\r\n";
    let nobody = "Refer-To: <sip:192.0.2.1>\r\n";
    let replaces = "Refer-To: <sip:5@192.0.2.1?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n";
    for (lines, code) in [
        (foreign, StatusCode::NOT_FOUND),
        (nobody, StatusCode::NOT_FOUND),
        (replaces, StatusCode::CALL_DOES_NOT_EXIST),
    ] {
        assert_eq!(ask(&mut bench, lines), code, "{lines}");
    }
    bench.request(CARRIER, "REFER", "sip:1001@192.0.2.1", TO, "");
    assert_eq!(
        bench.last_response().status(),
        Some(StatusCode::FORBIDDEN),
        "the carrier may not transfer"
    );
    assert_eq!(
        (bench.count(&Method::Invite), bench.count(&Method::Notify)),
        (0, 0)
    );
    let stats = bench.act(|gateway, _| gateway.stats());
    assert_eq!(stats.endpoint.subscriptions, 0);
}

fn with_trunk(change: impl Fn(&mut session_core::Trunk)) -> Config {
    let mut config = config();
    if let Access::Directory { trunks, .. } = &mut config.access {
        change(trunks.get_mut("carrier").expect("a trunk"));
    }
    config
}

/// A PBX as a trunk asks for one of its extensions.
#[test]
fn a_trunk_that_may_transfer_is_called_back_at_the_number_that_asks() {
    let mut bench = Bench::with(with_trunk(|trunk| trunk.transfers = true));
    bench.register(OTHER, "");
    let lines = "Refer-To: <sip:1002@192.0.2.1>\r\nFrom: <sip:201@192.0.2.20>;tag=pbx\r\n";
    bench.request(CARRIER, "REFER", "sip:201@192.0.2.1", lines, "");
    let own = bench.invited(CARRIER);
    assert_eq!(own.uri().unwrap().user(), Some("201"));
    bench.respond(CARRIER, &own, StatusCode::OK, "c", "", &sdp(20, 5_000, 0));
    let invite = bench.invited(OTHER);
    assert_eq!(invite.from().uri.user(), Some("201"));
    bench.respond(OTHER, &invite, StatusCode::OK, "o", "", &sdp(12, 4_000, 0));
    assert_eq!(told(&bench), over(&[100], 200));
    assert_eq!(bridged(&bench).len(), 2);
}

#[test]
fn limits_count_as_for_a_call_that_is_dialled() {
    let mut config = config();
    let quota = Quota {
        calls: Some(1),
        rate: None,
    };
    config.limits.users = [("1001".to_owned(), quota)].into();
    let mut bench = Bench::with(config);
    bench.register(PHONE, "");
    assert_eq!(ask(&mut bench, TO), StatusCode::ACCEPTED);
    assert_eq!(ask(&mut bench, TO), StatusCode::SERVICE_UNAVAILABLE);
    assert!(bench.last_response().header(HeaderName::RetryAfter).is_some());

    let mut config = self::config();
    config.limits.caps = vec![Cap {
        name: "one".into(),
        prefixes: Vec::new(),
        except: Vec::new(),
        per: CapPer::Caller,
        calls: Some(1),
        rate: None,
        talk: None,
        longest: None,
    }];
    let mut bench = Bench::with(config);
    bench.register(PHONE, "");
    bench.authenticated(PHONE, "INVITE", "sip:0301234@192.0.2.1", "", &sdp(11, 4_000, 0));
    let before = bench.count(&Method::Invite);
    assert_eq!(ask(&mut bench, TO), StatusCode::ACCEPTED);
    let own = bench.invited(PHONE);
    bench.respond(PHONE, &own, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    assert!(
        bench
            .events
            .iter()
            .any(|event| matches!(event, Event::CapReached { .. }))
    );
    assert_eq!(told(&bench).last().map(|(code, _)| *code >= 400), Some(true));
    assert_eq!(
        bench.count(&Method::Invite),
        before + 1,
        "the carrier is not called"
    );
}

/// 1003 talks with the carrier at its page, and asks for that call at its phone.
#[test]
fn a_call_moves_to_the_phone_of_whoever_asks_for_it() {
    let mut bench = Bench::new();
    let phone = Peer {
        user: "1003",
        ..PHONE
    };
    bench.authenticated(PAGE, "INVITE", "sip:0305551234@192.0.2.1", "", &sdp(13, 4_000, 0));
    let invite = bench.invited(CARRIER);
    bench.respond(CARRIER, &invite, StatusCode::OK, "c", "", &sdp(20, 5_000, 0));
    let answer = bench.last_response().clone();
    assert_eq!(answer.status(), Some(StatusCode::OK));
    let legs = bridged(&bench);
    let (ours, theirs) = (answer.to().tag().unwrap(), answer.from().tag().unwrap());
    let lines = format!(
        "Refer-To: <sip:x@192.0.2.1?Replaces={}%3Bto-tag%3D{ours}%3Bfrom-tag%3D{theirs}>\r\n",
        answer.call_id()
    );
    bench.register(phone, "");
    let code = bench.authenticated(phone, "REFER", "sip:1003@192.0.2.1", &lines, "");
    assert_eq!(code, StatusCode::ACCEPTED);
    let own = bench.invited(phone);
    bench.respond(phone, &own, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    assert_eq!(told(&bench), over(&[100], 200));
    assert_eq!(bridged(&bench), [bench.last_leg(), legs[1]]);
    let moved = bench.last_leg();
    let given = bench.events.iter().any(
        |event| matches!(event, Event::Transferred { leg, to, .. } if *leg == legs[0] && *to == [moved]),
    );
    assert!(given, "the page is out of it");
}
