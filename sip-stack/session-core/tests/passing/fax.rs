//! Faxes (ITU-T T.38): passed on to the other party, which has one too or refuses it.

use media_core::control::Command;
use media_core::negotiated::Transport;
use session_core::{Access, HoldPolicy};
use sip_core::message::StatusCode;

use super::talk::{Side, Talk, sdp};
use super::{OK, carrier, phone};
use crate::carried::bench::config;

/// A description of a fax, at this rate.
fn fax(host: u8, port: u16, rate: u32) -> String {
    let voice = sdp(host, port, "sendrecv");
    let (session, _) = voice.split_once("m=").expect("a section");
    format!(
        "{session}m=image {port} udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:{rate}\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
    )
}

fn text(message: &sip_core::message::Message) -> String {
    String::from_utf8_lossy(message.body()).into_owned()
}

/// Legs whose last agreement is a fax.
fn faxes(talk: &Talk) -> usize {
    let is_fax = |leg: &media_core::control::LegId| {
        let last = talk
            .bench
            .commands
            .iter()
            .rev()
            .find_map(|command| match command {
                Command::Connect { leg: of, media } if of == leg => Some(&media.transport),
                _ => None,
            });
        matches!(last, Some(Transport::Udptl { remote: Some(_) }))
    };
    talk.bench.opened().iter().filter(|leg| is_fax(leg)).count()
}

#[test]
fn a_fax_is_passed_on_with_its_parameters_and_the_call_returns_to_audio() {
    for (asks, asked) in [(Side::Carrier, Side::Phone), (Side::Phone, Side::Carrier)] {
        let mut talk = Talk::new(HoldPolicy::Auto);
        talk.offers(asks, "INVITE", &fax(20, 5_002, 14_400));
        let offer = talk.reinvite(asked).expect("passed on");
        assert!(text(&offer).contains("udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n"));
        talk.respond(asked, &offer, OK, &fax(11, 4_002, 9_600));
        let (code, answer) = talk.final_to(asks).expect("an answer");
        assert_eq!(code, OK);
        assert!(text(&answer).contains("udptl t38\r\n") && text(&answer).contains("T38MaxBitRate:9600"));
        talk.acknowledge(asks);
        assert_eq!(faxes(&talk), 2);
        // The other side ends it.
        talk.offers(asked, "INVITE", &carrier("sendrecv"));
        let offer = talk.reinvite(asks).expect("passed on");
        assert!(text(&offer).contains("m=audio") && !text(&offer).contains("T38"));
        talk.respond(asks, &offer, OK, &phone("sendrecv"));
        assert_eq!(talk.final_to(asked).map(|(code, _)| code), Some(OK));
        talk.acknowledge(asked);
        assert_eq!(faxes(&talk), 0);
        talk.ends();
    }
}

#[test]
fn a_fax_that_the_other_party_refuses_leaves_the_call_with_its_audio() {
    let refusals = [
        (StatusCode::NOT_ACCEPTABLE_HERE, String::new(), false),
        (OK, fax(11, 0, 9_600), true),
        (OK, phone("sendrecv"), true),
    ];
    for (code, body, is_taken_back) in refusals {
        let mut talk = Talk::new(HoldPolicy::Auto);
        talk.offers(Side::Carrier, "INVITE", &fax(20, 5_002, 14_400));
        let offer = talk.reinvite(Side::Phone).expect("passed on");
        talk.respond(Side::Phone, &offer, code, &body);
        let (told, _) = talk.final_to(Side::Carrier).expect("an answer");
        assert_eq!(told, StatusCode::NOT_ACCEPTABLE_HERE, "{body}");
        talk.acknowledge(Side::Carrier);
        assert_eq!(faxes(&talk), 0);
        let back = talk.reinvite(Side::Phone);
        assert_eq!(back.is_some(), is_taken_back, "{body}");
        if let Some(back) = back {
            assert!(text(&back).contains("m=audio"));
            talk.respond(Side::Phone, &back, OK, &phone("sendrecv"));
        }
        talk.ends();
    }
}

#[test]
fn a_party_without_t38_has_faxes_refused_at_once() {
    for (of_trunks, of_users) in [(false, true), (true, false)] {
        let mut settings = config();
        if let Access::Directory { trunks, users } = &mut settings.access {
            trunks.values_mut().for_each(|trunk| trunk.t38 = of_trunks);
            users.values_mut().for_each(|user| user.t38 = of_users);
        }
        let mut talk = Talk::with(settings);
        for side in [Side::Carrier, Side::Phone] {
            talk.offers(side, "INVITE", &fax(20, 5_002, 14_400));
            let (code, _) = talk.final_to(side).expect("an answer");
            assert_eq!(code, StatusCode::NOT_ACCEPTABLE_HERE);
            talk.acknowledge(side);
        }
        assert!(talk.reinvite(Side::Phone).is_none());
        talk.ends();
    }
}

#[test]
fn a_party_with_a_fax_returns_to_audio_when_the_other_one_is_gone() {
    let mut talk = Talk::new(HoldPolicy::Auto);
    talk.offers(Side::Carrier, "INVITE", &fax(20, 5_002, 14_400));
    let offer = talk.reinvite(Side::Phone).expect("passed on");
    talk.respond(Side::Phone, &offer, OK, &fax(11, 4_002, 9_600));
    talk.acknowledge(Side::Carrier);
    talk.refers(Side::Phone, "sip:1002@192.0.2.1");
    talk.transferred();
    let back = talk.reinvite(Side::Carrier).expect("audio again");
    assert!(text(&back).contains("m=audio") && !text(&back).contains("T38"));
}
