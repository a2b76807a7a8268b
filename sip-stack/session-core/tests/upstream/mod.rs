//! Browsers at a PBX behind the gateway: REGISTER, calls both ways, transfers, and what else they say.

mod bench;
mod crowd;
mod lamps;

use session_core::{Event, Reason, Refusal};
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use bench::{Bench, Client, PBX, SDP, invite, message, notify, respond, status};

/// User part of the `Contact` that the PBX got.
fn contact(register: &Message) -> String {
    let contact = register.contact().expect("a Contact");
    contact.uri.user().unwrap_or_default().to_owned()
}

/// Seconds that a browser was granted.
fn granted(answer: &Message) -> u32 {
    assert_eq!(status(answer), 200);
    answer
        .contacts()
        .find_map(|contact| contact.expires())
        .expect("a Contact")
}

fn refusals(bench: &Bench) -> Vec<Reason> {
    let refusal = |event: &Event| match event {
        Event::Refused(refusal) => Some(Refusal::clone(refusal).reason),
        _ => None,
    };
    bench.events.iter().filter_map(refusal).collect()
}

fn clients(bench: &Bench) -> Option<usize> {
    bench.coordinator.trunks()[0].clients
}

#[test]
fn a_browser_registers_at_the_pbx_with_its_own_digest() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    bench.pbx.lines = "Service-Route: <sip:192.0.2.50;lr>\r\n";
    let answer = alice.register(&mut bench, 300);
    assert_eq!(granted(&answer), 300, "as asked");
    assert!(
        answer
            .header(HeaderName::Contact)
            .expect("one")
            .starts_with("<sip:calice@x.invalid")
    );
    assert_eq!(
        answer.contacts().count(),
        1,
        "nobody sees where else the user is registered"
    );
    assert!(answer.header(HeaderName::ServiceRoute).is_none());
    let asked = bench.at_pbx(&Method::Register);
    assert_eq!(asked.len(), 2, "as many as the browser sent");
    for register in &asked {
        assert_eq!(register.request_uri(), Some("sip:pbx.example"));
        assert_eq!(
            register.from().to_string().split(";tag").next(),
            Some("\"Me\" <sip:alice@pbx.example>")
        );
        assert_eq!(
            register.expires(),
            Some(600),
            "browsers that refresh often do not bother it"
        );
        assert_eq!((register.via_count(), register.max_forwards()), (1, Some(68)));
        assert!(!register.call_id().contains("alice") && register.header(HeaderName::Path).is_none());
        assert_eq!(contact(register), contact(&asked[0]));
    }
    assert_eq!(asked[0].call_id(), asked[1].call_id());
    assert!(asked[1].cseq().number > asked[0].cseq().number);
    assert_eq!(clients(&bench), Some(1));
    assert_eq!(bench.coordinator.stats().contacts, 1);
}

#[test]
fn refreshes_bother_the_pbx_in_the_second_half_of_its_time_alone() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 60);
    bench.at_pbx(&Method::Register);
    for _ in 0..9 {
        bench.seconds(30);
        assert_eq!(granted(&alice.refresh(&mut bench, 60)), 60);
    }
    assert!(bench.at_pbx(&Method::Register).is_empty());
    bench.seconds(30);
    // Half of 600 s is over.
    let answer = alice.refresh(&mut bench, 60);
    assert_eq!(status(&answer), 401, "the browser is asked by the PBX");
    assert!(
        answer
            .header(HeaderName::WwwAuthenticate)
            .expect("a challenge")
            .contains("pbx.example")
    );
    let credentials = alice.credentials(&mut bench, &answer, "REGISTER", "sip:pbx.example");
    let answers = alice.ask(
        &mut bench,
        "REGISTER",
        "sip:pbx.example",
        &format!("Expires: 60\r\n{credentials}"),
        "",
    );
    assert_eq!(granted(&answers[0]), 60);
    assert_eq!(bench.at_pbx(&Method::Register).len(), 2);
    // Credentials are the PBX's to judge, whenever they come.
    alice.ask(
        &mut bench,
        "REGISTER",
        "sip:pbx.example",
        &format!("Expires: 60\r\n{credentials}"),
        "",
    );
    assert_eq!(bench.at_pbx(&Method::Register).len(), 1);
    // Another connection has to prove itself.
    let mut other = Client::new("alice", 2);
    assert_eq!(status(&other.refresh(&mut bench, 60)), 401);
}

#[test]
fn a_browser_never_outlasts_its_registration_at_the_pbx() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    bench.pbx.max_expires = 100;
    assert_eq!(
        granted(&alice.register(&mut bench, 600)),
        90,
        "a tenth is left for the refresh"
    );
    bench.seconds(40);
    assert_eq!(granted(&alice.refresh(&mut bench, 600)), 54);
    bench.seconds(55);
    assert_eq!(clients(&bench), Some(0));
}

#[test]
fn the_last_contact_of_a_user_that_goes_is_given_up_at_the_pbx() {
    let mut bench = Bench::new();
    let (mut one, mut two) = (Client::new("alice", 1), Client::new("alice", 2));
    two.register(&mut bench, 300);
    let data = "Contact: <sip:second@y.invalid>\r\nExpires: 300\r\n";
    one.request(&mut bench, "REGISTER", "sip:pbx.example", data, "");
    bench.at_pbx(&Method::Register);
    let gone = one.ask(
        &mut bench,
        "REGISTER",
        "sip:pbx.example",
        "Contact: <sip:second@y.invalid>;expires=0\r\nExpires: 300\r\n",
        "",
    );
    assert_eq!(status(&gone[0]), 200);
    assert!(
        bench.at_pbx(&Method::Register).is_empty(),
        "another contact stays"
    );
    let answer = one.register(&mut bench, 0);
    assert_eq!((status(&answer), answer.contacts().count()), (200, 0));
    let asked = bench.at_pbx(&Method::Register);
    assert!(asked.iter().all(|register| register.expires() == Some(0)) && asked.len() == 2);
    assert_eq!(clients(&bench), Some(0));
}

#[test]
fn a_lost_connection_gives_nothing_up_and_its_contact_is_the_same_after_a_restart() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let before = contact(&bench.at_pbx(&Method::Register)[0]);
    bench.close(1);
    bench.seconds(60);
    assert!(bench.at_pbx(&Method::Register).is_empty());
    bench.restart();
    Client::new("alice", 2).register(&mut bench, 300);
    assert_eq!(contact(&bench.at_pbx(&Method::Register)[0]), before);
}

#[test]
fn refusals_go_back_as_they_came() {
    for (code, lines) in [
        (403, ""),
        (404, ""),
        (423, "Min-Expires: 900\r\n"),
        (500, ""),
        (503, "Retry-After: 17\r\nServer: secret\r\nVia-Leak: x\r\n"),
    ] {
        let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
        bench.pbx.refusal = Some((code, lines));
        let answer = alice.register(&mut bench, 300);
        assert_eq!(status(&answer), code);
        assert_eq!(answer.min_expires(), (code == 423).then_some(900));
        assert_eq!(answer.retry_after(), (code == 503).then_some(17));
        assert!(answer.header_named("Via-Leak").is_none());
        assert_eq!(clients(&bench), Some(0));
    }
}

#[test]
fn a_silent_pbx_is_a_time_out() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    bench.pbx.is_silent = true;
    assert!(
        alice
            .ask(&mut bench, "REGISTER", "sip:pbx.example", "Expires: 300\r\n", "")
            .is_empty()
    );
    bench.seconds(6);
    assert_eq!(bench.take(1).last().map(status), Some(408));
}

#[test]
fn a_connection_that_closes_meanwhile_is_bound_to_nobody() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    let challenge = alice.refresh(&mut bench, 300);
    let credentials = alice.credentials(&mut bench, &challenge, "REGISTER", "sip:pbx.example");
    bench.pbx.is_silent = true;
    bench.at_pbx(&Method::Register);
    alice.ask(
        &mut bench,
        "REGISTER",
        "sip:pbx.example",
        &format!("Expires: 300\r\n{credentials}"),
        "",
    );
    let asked = bench.at_pbx(&Method::Register).remove(0);
    bench.close(1);
    let line = format!(
        "Contact: {};expires=600\r\n",
        asked.header(HeaderName::Contact).expect("one")
    );
    bench.pbx_sends(respond(&asked, 200, &line, ""));
    assert_eq!(clients(&bench), Some(0));
    // Its caller waits for it to come back.
    bench.pbx_sends(invite(&contact(&asked), "call"));
    bench.seconds(5);
    bench.pbx.is_silent = false;
    let mut back = Client::new("alice", 2);
    back.register(&mut bench, 300);
    assert_eq!(bench.coordinator.legs_of("alice@pbx.example").count(), 1);
}

#[test]
fn whoever_guesses_passwords_at_the_pbx_is_slowed_down_and_banned() {
    let mut bench = Bench::new();
    let mut answers = Vec::new();
    for n in 0..60 {
        let mut mallory = Client::with("alice", 1, &format!("guess {n}"));
        answers.push(mallory.refresh(&mut bench, 300));
        let challenge = answers.last().expect("one").clone();
        if status(&challenge) == 401 {
            let credentials = mallory.credentials(&mut bench, &challenge, "REGISTER", "sip:pbx.example");
            let lines = format!("Expires: 300\r\n{credentials}");
            answers.extend(mallory.ask(&mut bench, "REGISTER", "sip:pbx.example", &lines, ""));
        }
        if bench.events.iter().any(|event| matches!(event, Event::Banned(_))) {
            break;
        }
    }
    assert!(
        bench.events.iter().any(|event| matches!(event, Event::Banned(_))),
        "{:?}",
        refusals(&bench)
    );
    let guesses = bench
        .at_pbx(&Method::Register)
        .iter()
        .filter(|r| r.header(HeaderName::Authorization).is_some())
        .count();
    assert!(guesses <= 12, "{guesses} guesses reached the PBX");
    assert!(
        refusals(&bench).contains(&Reason::WrongCredentials) && refusals(&bench).contains(&Reason::TooFast)
    );
}

#[test]
fn users_of_ours_stay_ours_and_other_domains_are_nobodys() {
    let mut bench = Bench::new();
    let answer = Client::new("home", 1).refresh(&mut bench, 300);
    assert!(
        answer
            .header(HeaderName::WwwAuthenticate)
            .expect("ours")
            .contains("realm=\"test\"")
    );
    let mut alice = Client::new("alice", 2);
    let answers = alice.ask(
        &mut bench,
        "REGISTER",
        "sip:elsewhere.example",
        "Expires: 300\r\n",
        "",
    );
    assert_eq!(status(&answers[0]), 404, "no open relay");
    assert!(bench.pbx.got.is_empty());
}

#[test]
fn an_injected_line_goes_no_further() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    let folded = "Authorization: Digest username=\"alice\",\r\n Record-Route: <sip:evil>\r\nExpires: 300\r\n";
    alice.ask(&mut bench, "REGISTER", "sip:pbx.example", folded, "");
    let asked = bench.at_pbx(&Method::Register);
    assert!(
        asked
            .iter()
            .all(|register| register.header(HeaderName::RecordRoute).is_none())
    );
}

#[test]
fn a_thousand_browsers_that_come_back_at_once_are_registered_within_ten_seconds_and_no_storm() {
    let mut bench = Bench::new();
    let began = bench.now;
    let mut all: Vec<Client> = (0..1_000)
        .map(|n| Client::new(Box::leak(format!("u{n}").into_boxed_str()), n + 1))
        .collect();
    for client in &mut all {
        client.send(&mut bench, "REGISTER", "sip:pbx.example", "Expires: 300\r\n", "");
    }
    while bench.pbx.got.len() < 2_000 {
        bench.run(std::time::Duration::from_millis(100));
        for client in &mut all {
            if let Some(challenge) = bench
                .take(client.flow)
                .pop()
                .filter(|answer| status(answer) == 401)
            {
                let credentials = client.credentials(&mut bench, &challenge, "REGISTER", "sip:pbx.example");
                client.send(
                    &mut bench,
                    "REGISTER",
                    "sip:pbx.example",
                    &format!("Expires: 300\r\n{credentials}"),
                    "",
                );
            }
        }
        assert!(
            bench.now.since(began).as_secs() < 30,
            "{} came",
            bench.pbx.got.len()
        );
    }
    let took = bench.now.since(began);
    assert!(took.as_secs_f64() <= 10.2, "{took:?}");
    assert_eq!(clients(&bench), Some(1_000));
    let times: Vec<u64> = bench
        .pbx
        .got
        .iter()
        .map(|(at, _)| at.since(began).as_micros() as u64)
        .collect();
    let most = (0..times.len())
        .map(|n| {
            times[n..]
                .iter()
                .take_while(|at| **at < times[n] + 1_000_000)
                .count()
        })
        .max();
    assert!(most <= Some(201), "{most:?} in a second");
}

#[test]
fn one_connection_does_not_fill_the_way_to_the_pbx() {
    let (mut bench, mut mallory) = (Bench::new(), Client::new("mallory", 1));
    for _ in 0..500 {
        mallory.send(&mut bench, "REGISTER", "sip:pbx.example", "Expires: 300\r\n", "");
    }
    let refused = bench
        .take(1)
        .iter()
        .filter(|answer| status(answer) == 503)
        .count();
    assert_eq!(refused, 479, "one went, and twenty wait");
    let mut alice = Client::new("alice", 2);
    let answer = alice.ask(&mut bench, "REGISTER", "sip:pbx.example", "Expires: 300\r\n", "");
    assert!(answer.is_empty(), "its turn comes");
    bench.seconds(1);
    assert_eq!(bench.take(2).iter().map(status).collect::<Vec<_>>(), [401]);
}

#[test]
fn a_call_goes_out_with_the_digest_of_its_browser() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    bench.at_pbx(&Method::Register);
    let ok = alice.talk(&mut bench, "4711");
    let invites = bench.at_pbx(&Method::Invite);
    assert_eq!(invites.len(), 2, "one for each of the browser's");
    for sent in &invites {
        assert_eq!(sent.request_uri(), Some("sip:4711@pbx.example"));
        assert!(
            sent.from()
                .to_string()
                .starts_with("\"Me\" <sip:alice@pbx.example>")
        );
        assert!(!sent.call_id().contains("INVITE") && sent.max_forwards() == Some(68));
        assert!(contact(sent).contains("~alice~pbx.example"));
    }
    assert_eq!(alice.within(&mut bench, &ok, "BYE", 9, "", "").len(), 1);
    assert_eq!(bench.at_pbx(&Method::Bye).len(), 1);
}

#[test]
fn a_challenge_to_a_call_is_the_browsers_to_answer_and_refusals_pass() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let first = alice.ask(
        &mut bench,
        "INVITE",
        "sip:4711@pbx.example",
        "Content-Type: application/sdp\r\n",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
    );
    let challenge = first.last().expect("an answer");
    assert_eq!(status(challenge), 407);
    assert!(
        challenge
            .header(HeaderName::ProxyAuthenticate)
            .expect("one")
            .contains("realm=\"pbx.example\"")
    );
    for code in [403, 404, 486, 600] {
        bench.pbx.calls = code;
        let answers = alice.call(&mut bench, "4711");
        assert_eq!(answers.last().map(status), Some(code));
    }
}

#[test]
fn nobody_calls_without_a_registration_in_another_name_or_to_another_domain() {
    let mut bench = Bench::new();
    let mut stranger = Client::new("alice", 1);
    assert_eq!(stranger.call(&mut bench, "4711").last().map(status), Some(403));
    let mut bob = Client::new("bob", 2);
    bob.register(&mut bench, 300);
    let mut forged = Client::new("alice", 2);
    assert_eq!(forged.call(&mut bench, "4711").last().map(status), Some(403));
    let answers = bob.request(&mut bench, "INVITE", "sip:4711@elsewhere.example", "", "");
    assert_eq!(answers.last().map(status), Some(404));
    assert!(bench.at_pbx(&Method::Invite).is_empty());
}

#[test]
fn a_call_of_the_pbx_rings_at_every_connection_of_its_user() {
    let mut bench = Bench::new();
    let (mut one, mut two) = (Client::new("alice", 1), Client::new("alice", 2));
    one.register(&mut bench, 300);
    let ours = contact(&bench.at_pbx(&Method::Register)[0]);
    let second = "Contact: <sip:second@y.invalid;transport=ws>\r\nExpires: 300\r\n";
    let second = two.request(&mut bench, "REGISTER", "sip:pbx.example", second, "");
    assert_eq!(status(&second[0]), 200);
    bench.pbx_sends(invite(&ours, "in"));
    assert!(bench.take(1).iter().any(|message| message.is(&Method::Invite)));
    assert!(bench.take(2).iter().any(|message| message.is(&Method::Invite)));
    // Nobody else may call it, whatever it knows; and no other Contact stands for anybody.
    let guessed = ours.replacen(&ours[..4], "0000", 1);
    bench.pbx_sends(invite(&guessed, "guess"));
    let last = bench.events.iter().rev().find_map(|event| match event {
        Event::Incoming { call, .. } => Some(call.way.clone()),
        _ => None,
    });
    assert_eq!(last, Some(None));
}

#[test]
fn a_call_waits_for_a_browser_that_was_there_a_moment_ago() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let ours = contact(&bench.at_pbx(&Method::Register)[0]);
    bench.close(1);
    bench.seconds(5);
    bench.pbx_sends(invite(&ours, "first"));
    bench.seconds(5);
    let mut back = Client::new("alice", 2);
    back.register(&mut bench, 300);
    bench.seconds(0);
    assert!(
        bench
            .events
            .iter()
            .all(|event| !matches!(event, Event::DialFailed { .. }))
    );
    assert!(
        bench.coordinator.legs_of("alice@pbx.example").count() == 1,
        "it rings"
    );
    // After the grace it waits for nobody.
    bench.close(2);
    bench.seconds(60);
    bench.pbx_sends(invite(&ours, "late"));
    let refused = bench
        .pbx
        .got
        .iter()
        .filter(|(_, message)| status(message) == 480)
        .count();
    assert!(refused >= 1);
}

#[test]
fn after_a_restart_a_call_waits_for_its_browser() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let ours = contact(&bench.at_pbx(&Method::Register)[0]);
    bench.restart();
    bench.pbx_sends(invite(&ours, "early"));
    bench.seconds(8);
    let mut back = Client::new("alice", 2);
    back.register(&mut bench, 300);
    assert_eq!(bench.coordinator.legs_of("alice@pbx.example").count(), 1);
}

#[test]
fn a_blind_transfer_is_the_pbxs_to_do() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let ok = alice.talk(&mut bench, "4711");
    bench.at_pbx(&Method::Invite);
    let refer = "Refer-To: <sip:carol@pbx.example>\r\n";
    let answers = alice.within(&mut bench, &ok, "REFER", 20, refer, "");
    assert!(answers.iter().any(|answer| status(answer) == 202), "{answers:?}");
    let sent = bench.at_pbx(&Method::Refer).remove(0);
    assert_eq!(sent.header(HeaderName::ReferTo), Some("<sip:carol@pbx.example>"));
    assert_ne!(sent.call_id(), ok.call_id());
    bench.pbx_sends(notify(&sent, 10, "SIP/2.0 180 Ringing\r\n", "active;expires=60"));
    bench.pbx_sends(notify(
        &sent,
        11,
        "SIP/2.0 200 OK\r\n",
        "terminated;reason=noresource",
    ));
    let told: Vec<String> = bench
        .take(1)
        .iter()
        .filter(|message| message.is(&Method::Notify))
        .map(|message| String::from_utf8_lossy(message.body()).trim().to_owned())
        .collect();
    assert_eq!(told.last().map(String::as_str), Some("SIP/2.0 200 OK"));
    // Nobody hangs up: we do, on both sides.
    bench.seconds(2);
    assert!(bench.take(1).iter().any(|message| message.is(&Method::Bye)));
    assert_eq!(bench.at_pbx(&Method::Bye).len(), 1);
}

#[test]
fn a_transfer_that_the_pbx_refuses_leaves_the_call() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let ok = alice.talk(&mut bench, "4711");
    bench.pbx.refusal = Some((603, ""));
    let answers = alice.within(
        &mut bench,
        &ok,
        "REFER",
        20,
        "Refer-To: <sip:carol@pbx.example>\r\n",
        "",
    );
    assert_eq!(answers.iter().map(status).collect::<Vec<_>>(), [603]);
    bench.pbx.refusal = None;
    let elsewhere = "Refer-To: <sip:carol@elsewhere.example>\r\n";
    assert_eq!(
        status(&alice.within(&mut bench, &ok, "REFER", 21, elsewhere, "")[0]),
        404
    );
    bench.seconds(5);
    assert!(bench.at_pbx(&Method::Bye).is_empty());
}

#[test]
fn an_attended_transfer_names_the_dialog_at_the_pbx() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let first = alice.talk(&mut bench, "4711");
    let second = alice.talk(&mut bench, "carol");
    let invites = bench.at_pbx(&Method::Invite);
    let beyond = invites.last().expect("an INVITE").clone();
    let replaces = format!(
        "{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}",
        second.call_id(),
        second.to().tag().expect("a tag"),
        second.from().tag().expect("a tag")
    );
    let refer = format!("Refer-To: <sip:carol@x.example?Replaces={replaces}>\r\n");
    let answers = alice.within(&mut bench, &first, "REFER", 20, &refer, "");
    assert!(answers.iter().any(|answer| status(answer) == 202), "{answers:?}");
    let sent = bench.at_pbx(&Method::Refer).remove(0);
    let target = sent.header(HeaderName::ReferTo).expect("Refer-To").to_owned();
    assert!(target.starts_with("<sip:carol@pbx.example?Replaces="), "{target}");
    assert!(
        target.contains(beyond.call_id()) && target.contains("to-tag%3Dpbx"),
        "{target}"
    );
    assert!(target.contains(beyond.from().tag().expect("a tag")));
    assert_eq!(
        sent.call_id(),
        invites[1].call_id(),
        "in the dialog of the first call"
    );
}

#[test]
fn a_message_of_the_pbx_comes_to_its_browser() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let ours = contact(&bench.at_pbx(&Method::Register)[0]);
    bench.pbx_sends(message(&ours));
    let came = bench.take(1);
    assert_eq!((came.len(), came[0].body()), (1, &b"hi"[..]));
}

#[test]
fn messages_and_publications_go_on_with_credentials_and_answers() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    bench.at_pbx(&Method::Register);
    bench.pbx.lines = "SIP-ETag: abc\r\n";
    let answers = alice.request(
        &mut bench,
        "MESSAGE",
        "sip:bob@pbx.example",
        "Content-Type: text/plain\r\n",
        "hello",
    );
    assert_eq!(status(&answers[0]), 200);
    let sent = bench.at_pbx(&Method::Message);
    assert_eq!((sent.len(), sent[1].body()), (2, &b"hello"[..]));
    let lines = "Event: presence\r\nExpires: 60\r\nContent-Type: application/pidf+xml\r\n";
    let answers = alice.request(
        &mut bench,
        "PUBLISH",
        "sip:alice@pbx.example",
        lines,
        "<presence/>",
    );
    assert_eq!(answers[0].header_named("SIP-ETag"), Some("abc"));
    let sent = bench.at_pbx(&Method::Publish);
    assert_eq!(sent[1].event().map(|event| event.value), Some("presence"));
    assert!(!format!("{:?}", bench.events).contains(PBX));
}

/// Hold, as a browser asks for it.
fn on_hold() -> String {
    SDP.replace("o=- 1 1", "o=- 1 2") + "a=sendonly\r\n"
}

/// Sends a request within the call, and again with credentials for the challenge that comes; the statuses.
fn challenged_within(
    bench: &mut Bench,
    alice: &mut Client,
    ok: &Message,
    (method, cseq): (&str, u32),
    (lines, body): (&str, &str),
) -> [u16; 2] {
    let last = |answers: Vec<Message>| {
        let found = answers
            .into_iter()
            .rfind(|message| message.status().is_some_and(|code| code.is_final()));
        found.expect("an answer")
    };
    let challenge = last(alice.within(bench, ok, method, cseq, lines, body));
    if method == "INVITE" {
        alice.within(bench, ok, "ACK", cseq, "", "");
    }
    let uri = ok.contact().expect("a Contact").uri.to_string();
    let credentials = alice.credentials(bench, &challenge, method, &uri);
    let lines = format!("{lines}{credentials}");
    let answer = last(alice.within(bench, ok, method, cseq + 1, &lines, body));
    if method == "INVITE" {
        alice.within(bench, ok, "ACK", cseq + 1, "", "");
    }
    [status(&challenge), status(&answer)]
}

#[test]
fn a_challenge_within_a_call_goes_to_the_browser_and_its_credentials_to_the_pbx() {
    let (mut bench, mut alice) = (Bench::told_of_holds(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let ok = alice.talk(&mut bench, "4711");
    bench.pbx.challenges_within = true;
    let sdp = "Content-Type: application/sdp\r\n";
    let refer = "Refer-To: <sip:carol@pbx.example>\r\n";
    let info = "Content-Type: application/vnd.example\r\n";
    for (method, cseq, lines, body, done) in [
        ("INVITE", 20, sdp, on_hold(), 200),
        ("INFO", 30, info, "x".to_owned(), 200),
        (
            "MESSAGE",
            40,
            "Content-Type: text/plain\r\n",
            "hello".to_owned(),
            200,
        ),
        ("REFER", 50, refer, String::new(), 202),
    ] {
        bench.at_pbx(&Method::Invite);
        let statuses = challenged_within(&mut bench, &mut alice, &ok, (method, cseq), (lines, &body));
        assert_eq!(statuses, [407, done], "{method}");
        let method = Method::new(method);
        let came: Vec<Message> = bench.at_pbx(&method);
        let with = |message: &Message| message.header(HeaderName::ProxyAuthorization).is_some();
        assert_eq!(
            came.iter().map(with).collect::<Vec<_>>(),
            [false, true],
            "{method:?}"
        );
        assert_ne!(came[1].call_id(), ok.call_id(), "in our own dialog");
    }
    bench.seconds(5);
    assert!(bench.at_pbx(&Method::Bye).is_empty(), "the call goes on");
}

#[test]
fn a_challenge_that_the_browser_does_not_answer_changes_nothing() {
    let (mut bench, mut alice) = (Bench::told_of_holds(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let ok = alice.talk(&mut bench, "4711");
    bench.pbx.challenges_within = true;
    let sdp = "Content-Type: application/sdp\r\n";
    let answers = alice.within(&mut bench, &ok, "INVITE", 20, sdp, &on_hold());
    assert_eq!(status(answers.last().expect("an answer")), 407);
    alice.within(&mut bench, &ok, "ACK", 20, "", "");
    // An UPDATE goes on as a re-INVITE, so its digest would be over another method.
    let answers = alice.within(&mut bench, &ok, "UPDATE", 21, sdp, &on_hold());
    assert_eq!(status(answers.last().expect("an answer")), 488);
    bench.seconds(60);
    assert!(bench.at_pbx(&Method::Bye).is_empty(), "the call goes on");
    let calls = bench.coordinator.sessions().count();
    assert_eq!(calls, 1);
}

#[test]
fn a_challenge_to_the_end_of_a_call_does_not_keep_it() {
    let (mut bench, mut alice) = (Bench::told_of_holds(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let ok = alice.talk(&mut bench, "4711");
    bench.pbx.challenges_within = true;
    let answers = alice.within(&mut bench, &ok, "BYE", 20, "", "");
    assert_eq!(answers.iter().map(status).collect::<Vec<_>>(), [200]);
    let byes = bench.at_pbx(&Method::Bye);
    assert_eq!(byes.len(), 1, "nobody has credentials for it: {byes:#?}");
    bench.seconds(60);
    let stats = bench.coordinator.stats();
    assert_eq!((stats.sessions, stats.legs), (0, 0));
    let ended = bench
        .events
        .iter()
        .filter(|event| matches!(event, Event::Ended { .. }));
    assert_eq!(ended.count(), 2, "the INVITE that was challenged, and the call");
}

#[test]
fn a_phone_of_ours_never_sees_the_challenge_of_a_party_of_its_call() {
    let mut bench = crate::carried::bench::Bench::new();
    use crate::carried::bench::{CARRIER, PHONE, sdp};
    bench.register(PHONE, "");
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    let ours = invite.from().tag().expect("a tag");
    let info = format!(
        "INFO sip:gw@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKinfo\r\nMax-Forwards: 70\r\n\
         From: <sip:1001@192.0.2.1>;tag=p\r\nTo: <sip:x@192.0.2.1>;tag={ours}\r\nCall-ID: {}\r\nCSeq: 5 INFO\r\n\
         Content-Type: application/vnd.example\r\nContent-Length: 1\r\n\r\nx",
        invite.call_id()
    );
    bench.receive(PHONE, info);
    let passed = bench.last(&Method::Info).expect("passed on");
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
    bench.respond(CARRIER, &passed, StatusCode::UNAUTHORIZED, "", challenge, "");
    let answer = bench.last_response();
    assert_eq!(answer.status(), Some(StatusCode::FORBIDDEN));
    assert!(answer.header(HeaderName::WwwAuthenticate).is_none());
}
