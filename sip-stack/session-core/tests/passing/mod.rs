//! Offers within a call that both parties have to agree to: passed on by re-INVITE, and answered as the other party answers.

mod chance;
mod fax;
mod formats;
mod talk;
mod walk;

use media_core::control::{Application, Command};
use session_core::{Access, HoldPolicy};
use sip_core::message::{HeaderName, Method, StatusCode};

use crate::carried::bench::{Bench, CARRIER, PAGE, config, dtls};

use talk::{Side, Talk};

const OK: StatusCode = StatusCode::OK;

/// Descriptions of the carrier and of the phone with a direction.
fn carrier(direction: &str) -> String {
    talk::sdp(20, 5_000, direction)
}

fn phone(direction: &str) -> String {
    talk::sdp(11, 4_000, direction)
}

#[test]
fn a_hold_and_a_resume_are_passed_on_with_their_direction() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    for (offered, heard, answered, told) in [
        ("sendonly", "sendonly", "recvonly", "recvonly"),
        ("sendrecv", "sendrecv", "sendrecv", "sendrecv"),
        ("inactive", "inactive", "inactive", "inactive"),
        ("sendrecv", "sendrecv", "sendrecv", "sendrecv"),
        ("recvonly", "recvonly", "sendonly", "sendonly"),
        // The phone permits less than it is offered.
        ("sendrecv", "sendrecv", "sendonly", "sendonly"),
    ] {
        talk.offers(Side::Carrier, "INVITE", &carrier(offered));
        assert!(talk.final_to(Side::Carrier).is_none(), "the phone is asked first");
        let asked = talk.reinvite(Side::Phone).expect("passed on");
        assert_eq!(talk::direction(&asked), heard);
        talk.respond(Side::Phone, &asked, OK, &phone(answered));
        let (code, answer) = talk.final_to(Side::Carrier).expect("an answer");
        assert_eq!((code, talk::direction(&answer)), (OK, told), "{offered}");
        talk.acknowledge(Side::Carrier);
    }
    talk.ends();
}

#[test]
fn an_address_of_nowhere_is_a_hold_as_well() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    let nowhere = carrier("sendrecv").replace("c=IN IP4 192.0.2.20", "c=IN IP4 0.0.0.0");
    talk.offers(Side::Carrier, "INVITE", &nowhere);
    let asked = talk.reinvite(Side::Phone).expect("passed on");
    assert_eq!(talk::direction(&asked), "sendonly");
    talk.respond(Side::Phone, &asked, OK, &phone("recvonly"));
    assert_eq!(talk.final_to(Side::Carrier).map(|(code, _)| code), Some(OK));
    talk.acknowledge(Side::Carrier);
    talk.ends();
}

#[test]
fn the_called_side_holds_by_update() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    talk.offers(Side::Phone, "UPDATE", &phone("sendonly"));
    let asked = talk.reinvite(Side::Carrier).expect("passed on");
    assert_eq!(talk::direction(&asked), "sendonly");
    talk.respond(Side::Carrier, &asked, OK, &carrier("recvonly"));
    let (code, answer) = talk.final_to(Side::Phone).expect("an answer");
    assert_eq!((code, talk::direction(&answer)), (OK, "recvonly"));
    talk.ends();
}

#[test]
fn who_is_told_of_a_hold_hears_no_music_of_ours() {
    for (policy, music) in [
        (HoldPolicy::Pass, false),
        (HoldPolicy::Music, true),
        (HoldPolicy::Auto, true),
    ] {
        let mut talk = Talk::new(policy);
        talk.offers(Side::Carrier, "INVITE", &carrier("inactive"));
        if policy == HoldPolicy::Pass {
            let asked = talk.reinvite(Side::Phone).expect("passed on");
            talk.respond(Side::Phone, &asked, OK, &phone("inactive"));
        } else {
            assert!(talk.reinvite(Side::Phone).is_none(), "{policy:?}");
        }
        talk.acknowledge(Side::Carrier);
        let plays = |command: &Command| {
            matches!(
                command,
                Command::Play {
                    application: Some(Application::Music),
                    ..
                }
            )
        };
        assert_eq!(talk.bench.commands.iter().any(plays), music, "{policy:?}");
        talk.ends();
    }
}

#[test]
fn what_concerns_one_leg_alone_is_answered_at_once() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    let moved = carrier("sendrecv").replace("m=audio 5000", "m=audio 5600");
    let codecs = carrier("sendrecv").replace("RTP/AVP 0", "RTP/AVP 8");
    let video = format!("{}m=video 6000 RTP/AVP 31\r\n", carrier("sendrecv"));
    for offer in [carrier("sendrecv"), moved, codecs, video, carrier("sendrecv")] {
        talk.offers(Side::Carrier, "INVITE", &offer);
        let (code, answer) = talk.final_to(Side::Carrier).expect("an answer");
        assert_eq!((code, talk::direction(&answer)), (OK, "sendrecv"));
        talk.acknowledge(Side::Carrier);
    }
    for refused in [
        carrier("sendrecv").replace("RTP/AVP 0", "RTP/AVP 13"),
        carrier("sendonly").replace("m=audio 5000", "m=audio 0"),
    ] {
        talk.offers(Side::Carrier, "INVITE", &refused);
        let (code, _) = talk.final_to(Side::Carrier).expect("an answer");
        assert_eq!(code, StatusCode::NOT_ACCEPTABLE_HERE);
        talk.acknowledge(Side::Carrier);
    }
    assert!(talk.reinvite(Side::Phone).is_none());
    talk.ends();
}

#[test]
fn a_refusal_reaches_the_one_who_offered_and_changes_nothing() {
    for (theirs, told) in [
        (488, 488),
        (491, 491),
        (603, 603),
        (415, 488),
        (503, 500),
        (302, 488),
    ] {
        let mut talk = Talk::new(HoldPolicy::Pass);
        talk.offers(Side::Carrier, "INVITE", &carrier("sendonly"));
        let asked = talk.reinvite(Side::Phone).expect("passed on");
        let connected = talk.connected();
        talk.respond(Side::Phone, &asked, StatusCode::try_from(theirs).unwrap(), "");
        let (code, _) = talk.final_to(Side::Carrier).expect("an answer");
        assert_eq!(code.get(), told, "{theirs}");
        talk.acknowledge(Side::Carrier);
        assert_eq!(talk.connected(), connected, "both sessions stand");
        talk.bench.wait(6);
        assert!(
            talk.reinvite(Side::Phone).is_none(),
            "nobody repeats it for the carrier"
        );
        // The same offer again is a new question, not a repetition that is answered from memory.
        talk.offers(Side::Carrier, "INVITE", &carrier("sendonly"));
        let asked = talk.reinvite(Side::Phone).expect("passed on again");
        talk.respond(Side::Phone, &asked, OK, &phone("recvonly"));
        let (code, answer) = talk.final_to(Side::Carrier).expect("an answer");
        assert_eq!((code, talk::direction(&answer)), (OK, "recvonly"));
        talk.acknowledge(Side::Carrier);
        talk.ends();
    }
}

#[test]
fn a_party_that_knows_the_dialog_no_more_ends_the_call() {
    for theirs in [StatusCode::CALL_DOES_NOT_EXIST, StatusCode::REQUEST_TIMEOUT] {
        let mut talk = Talk::new(HoldPolicy::Pass);
        talk.offers(Side::Carrier, "INVITE", &carrier("sendonly"));
        let asked = talk.reinvite(Side::Phone).expect("passed on");
        talk.respond(Side::Phone, &asked, theirs, "");
        let (code, _) = talk.final_to(Side::Carrier).expect("an answer");
        assert_eq!(code, StatusCode::TEMPORARILY_UNAVAILABLE);
        assert_eq!(talk.bench.count(&Method::Bye), 2, "one to each");
    }
}

#[test]
fn two_changes_that_cross_are_both_refused_with_491() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    talk.offers(Side::Carrier, "INVITE", &carrier("sendonly"));
    let asked = talk.reinvite(Side::Phone).expect("passed on");
    talk.offers(Side::Phone, "INVITE", &phone("sendonly"));
    let (code, _) = talk.final_to(Side::Phone).expect("an answer");
    assert_eq!(code, StatusCode::REQUEST_PENDING);
    talk.acknowledge(Side::Phone);
    talk.respond(Side::Phone, &asked, StatusCode::REQUEST_PENDING, "");
    let (code, _) = talk.final_to(Side::Carrier).expect("an answer");
    assert_eq!(code, StatusCode::REQUEST_PENDING);
    talk.acknowledge(Side::Carrier);
    // RFC 3261 §14.1: the phone, which does not own the Call-ID, comes first.
    talk.offers(Side::Phone, "INVITE", &phone("sendonly"));
    let asked = talk.reinvite(Side::Carrier).expect("passed on");
    talk.respond(Side::Carrier, &asked, OK, &carrier("recvonly"));
    assert_eq!(talk.final_to(Side::Phone).map(|(code, _)| code), Some(OK));
    talk.acknowledge(Side::Phone);
    // Both hold: nothing flows.
    talk.offers(Side::Carrier, "INVITE", &carrier("sendonly"));
    let asked = talk.reinvite(Side::Phone).expect("passed on");
    talk.respond(Side::Phone, &asked, OK, &phone("inactive"));
    let (code, answer) = talk.final_to(Side::Carrier).expect("an answer");
    assert_eq!((code, talk::direction(&answer)), (OK, "inactive"));
    talk.acknowledge(Side::Carrier);
    talk.ends();
}

#[test]
fn a_cancelled_reinvite_is_taken_back_from_the_other_party() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    talk.offers(Side::Carrier, "INVITE", &carrier("sendonly"));
    let asked = talk.reinvite(Side::Phone).expect("passed on");
    talk.cancels(Side::Carrier);
    let (code, _) = talk.final_to(Side::Carrier).expect("an answer");
    assert_eq!(code, StatusCode::REQUEST_TERMINATED);
    talk.acknowledge(Side::Carrier);
    talk.respond(Side::Phone, &asked, OK, &phone("recvonly"));
    let back = talk.reinvite(Side::Phone).expect("what was before");
    assert_eq!(talk::direction(&back), "sendrecv");
    talk.respond(Side::Phone, &back, OK, &phone("sendrecv"));
    talk.ends();
}

#[test]
fn a_party_that_thinks_about_a_reinvite_which_is_cancelled_gets_a_cancel() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    talk.offers(Side::Carrier, "INVITE", &carrier("sendonly"));
    let asked = talk.reinvite(Side::Phone).expect("passed on");
    talk.respond(Side::Phone, &asked, StatusCode::TRYING, "");
    assert_eq!(talk.bench.count(&Method::Cancel), 0);
    talk.cancels(Side::Carrier);
    let cancel = talk.bench.last(&Method::Cancel).expect("passed on");
    assert_eq!(cancel.cseq().number, asked.cseq().number);
    talk.respond(Side::Phone, &cancel, OK, "");
    talk.respond(Side::Phone, &asked, StatusCode::REQUEST_TERMINATED, "");
    let (code, _) = talk.final_to(Side::Carrier).expect("an answer");
    assert_eq!(code, StatusCode::REQUEST_TERMINATED);
    talk.acknowledge(Side::Carrier);
    assert!(
        talk.reinvite(Side::Phone).is_none(),
        "nothing changed, nothing is taken back"
    );
    talk.ends();
}

#[test]
fn who_hangs_up_meanwhile_ends_the_call() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    talk.offers(Side::Carrier, "INVITE", &carrier("sendonly"));
    let asked = talk.reinvite(Side::Phone).expect("passed on");
    talk.says_bye(Side::Carrier);
    assert_eq!(talk.bench.count(&Method::Bye), 1);
    talk.respond(Side::Phone, &asked, StatusCode::REQUEST_TERMINATED, "");
    talk.bench.wait(40);
    let ended = |event: &session_core::Event| matches!(event, session_core::Event::Ended { .. });
    assert_eq!(talk.bench.events.iter().filter(|event| ended(event)).count(), 1);
}

#[test]
fn an_answer_that_cannot_be_used_is_a_refusal_and_is_taken_back() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    talk.offers(Side::Carrier, "INVITE", &carrier("sendonly"));
    let asked = talk.reinvite(Side::Phone).expect("passed on");
    talk.respond(Side::Phone, &asked, OK, "");
    let (code, _) = talk.final_to(Side::Carrier).expect("an answer");
    assert_eq!(code, StatusCode::NOT_ACCEPTABLE_HERE);
    talk.acknowledge(Side::Carrier);
    let back = talk.reinvite(Side::Phone).expect("what was before");
    assert_eq!(talk::direction(&back), "sendrecv");
    talk.respond(Side::Phone, &back, OK, &phone("sendrecv"));
    talk.ends();
}

#[test]
fn a_late_offer_brings_what_the_other_party_permits_and_its_answer_is_passed_on() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    // The phone holds; the carrier asks for our offer and holds in its answer.
    talk.offers(Side::Phone, "INVITE", &phone("sendonly"));
    let asked = talk.reinvite(Side::Carrier).expect("passed on");
    talk.respond(Side::Carrier, &asked, OK, &carrier("recvonly"));
    talk.acknowledge(Side::Phone);
    talk.offers(Side::Carrier, "INVITE", "");
    let (code, offer) = talk.final_to(Side::Carrier).expect("our offer");
    assert_eq!((code, talk::direction(&offer)), (OK, "sendonly"));
    talk.acknowledge_with(Side::Carrier, &carrier("inactive"));
    let told = talk.reinvite(Side::Phone).expect("told afterwards");
    assert_eq!(talk::direction(&told), "inactive");
    talk.respond(Side::Phone, &told, OK, &phone("inactive"));
    talk.ends();
}

#[test]
fn a_party_that_was_told_of_a_hold_is_told_when_the_one_who_held_is_gone() {
    let mut talk = Talk::new(HoldPolicy::Pass);
    talk.offers(Side::Phone, "INVITE", &phone("sendonly"));
    let asked = talk.reinvite(Side::Carrier).expect("passed on");
    talk.respond(Side::Carrier, &asked, OK, &carrier("recvonly"));
    talk.acknowledge(Side::Phone);
    // The phone has the carrier transferred, and is aside meanwhile.
    talk.refers(Side::Phone, "sip:1002@192.0.2.1");
    talk.transferred();
    let back = talk.reinvite(Side::Carrier).expect("its session is whole again");
    assert_eq!(talk::direction(&back), "sendrecv");
}

#[test]
fn who_holds_from_the_start_is_told_of_with_the_ack() {
    let mut config = config();
    if let Access::Directory { users, .. } = &mut config.access {
        users.values_mut().for_each(|user| user.hold = HoldPolicy::Pass);
    }
    let mut talk = Talk::begun_with(config, &carrier("sendonly"));
    let told = talk.reinvite(Side::Phone).expect("told");
    assert_eq!(talk::direction(&told), "sendonly");
    talk.respond(Side::Phone, &told, OK, &phone("recvonly"));
    assert!(talk.reinvite(Side::Carrier).is_none(), "it knows");
    talk.ends();
}

#[test]
fn the_hold_of_a_browser_reaches_a_trunk_that_is_told_of_holds_and_no_browser_is_told() {
    let mut config = config();
    if let Access::Directory { users, trunks } = &mut config.access {
        users.values_mut().for_each(|user| user.hold = HoldPolicy::Pass);
        trunks
            .values_mut()
            .for_each(|trunk| trunk.hold = HoldPolicy::Pass);
    }
    let mut bench = Bench::with(config);
    bench.register(PAGE, "");
    bench.request(PAGE, "INVITE", "sip:0301234@192.0.2.1", "", &dtls());
    let invite = bench.invited(CARRIER);
    bench.respond(CARRIER, &invite, OK, "c", "", &carrier("sendrecv"));
    let answer = bench.last_response().clone();
    let line = |name: HeaderName| answer.header(name).expect("a field").to_owned();
    let within = |method: &str, cseq: u32, body: &str| {
        format!(
            "{method} sip:gateway@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/WS page.invalid;branch=z9hG4bKpage{method}{cseq}\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:1003@page.invalid;transport=ws>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            line(HeaderName::From),
            line(HeaderName::To),
            answer.call_id(),
            body.len()
        )
    };
    let first = answer.cseq().number;
    bench.receive(PAGE, within("ACK", first, ""));
    bench.receive(
        PAGE,
        within("INVITE", first + 1, &format!("{}a=sendonly\r\n", dtls())),
    );
    let told = bench.invited(CARRIER);
    assert_eq!((told.to().tag(), talk::direction(&told)), (Some("c"), "sendonly"));
    bench.respond(CARRIER, &told, OK, "", "", &carrier("recvonly"));
    let answer = bench.last_response().clone();
    assert_eq!(
        (answer.status(), talk::direction(&answer)),
        (Some(OK), "recvonly")
    );
    // The carrier wants to hold as well: that is answered, and the browser hears of nothing.
    let number = told.cseq().number;
    let hold = format!(
        "INVITE {} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bKcarrier\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {number} INVITE\r\nContact: <sip:carrier@192.0.2.20:5060>\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{}",
        told.contact().expect("a contact").uri,
        told.header(HeaderName::To).expect("a field"),
        told.header(HeaderName::From).expect("a field"),
        told.call_id(),
        carrier("inactive").len(),
        carrier("inactive")
    );
    bench.receive(CARRIER, hold);
    let answer = bench.last_response();
    assert_eq!((answer.status(), talk::direction(answer)), (Some(OK), "inactive"));
    assert_eq!(bench.count(&Method::Invite), 2, "to the carrier, both of them");
}
