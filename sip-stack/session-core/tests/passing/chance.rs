//! Anything in any order: offers of both sides, answers and refusals, cancellations, holds of ours, time that passes. Nothing panics, every
//! offer has one final response, and one BYE ends it all.

use sans_io::Rng;
use session_core::{Event, HoldPolicy};
use sip_core::message::{Message, StatusCode};

use super::talk::{Side, Talk, sdp};
use super::{carrier, phone};

const SIDES: [Side; 2] = [Side::Carrier, Side::Phone];

/// A description of a side: audio, a fax, nothing, or nonsense.
fn any(rng: &mut Rng, side: Side) -> String {
    let direction = ["sendrecv", "sendonly", "recvonly", "inactive"][rng.below(4) as usize];
    let voice = match side {
        Side::Carrier => carrier(direction),
        Side::Phone => phone(direction),
    };
    match rng.below(12) {
        0 => String::new(),
        1 => "v=0\r\nm=nonsense\r\n".into(),
        2 => voice.replace("RTP/AVP 0", "RTP/AVP 18"),
        3 | 4 => {
            let (session, _) = voice.split_once("m=").expect("a section");
            format!("{session}m=image 6000 udptl t38\r\na=T38FaxVersion:0\r\n")
        }
        _ => voice,
    }
}

/// One side's part.
#[derive(Default)]
struct Part {
    /// Its own offer waits for a final response.
    offers: bool,
    /// Final responses to its offers.
    answered: usize,
    asked: Option<Message>,
    /// Number of the last re-INVITE that it got.
    number: u32,
}

fn look(talk: &mut Talk, parts: &mut [Part; 2]) {
    for side in SIDES {
        let part = &mut parts[side as usize];
        while let Some((code, answer)) = talk.final_to(side) {
            assert!(part.offers || answer.cseq().number > 0, "{code}");
            if std::mem::take(&mut part.offers) {
                part.answered += 1;
                let is_invite = answer.cseq().method == sip_core::message::Method::Invite;
                let body = if is_invite { ack_body(side, &answer) } else { None };
                if is_invite {
                    talk.acknowledge_with(side, &body.unwrap_or_default());
                }
            }
        }
        while let Some(request) = talk.reinvite(side) {
            if request.cseq().number > part.number {
                part.number = request.cseq().number;
                part.asked = Some(request);
            }
        }
    }
}

/// A 200 to a re-INVITE without an offer brings one; whether it did is not known here, and an answer too many does no harm.
fn ack_body(side: Side, answer: &Message) -> Option<String> {
    let host = [20, 11][side as usize];
    answer
        .status()
        .filter(|code| code.is_success() && !answer.body().is_empty())?;
    Some(sdp(host, 5_000, "sendrecv"))
}

#[test]
fn anything_in_any_order_leaves_a_call_that_ends() {
    let mut answered = 0;
    for seed in 0..150 {
        let mut rng = Rng::seeded(seed);
        let policies = [HoldPolicy::Pass, HoldPolicy::Pass, HoldPolicy::Auto];
        let mut talk = Talk::new(policies[seed as usize % 3]);
        let mut parts = [Part::default(), Part::default()];
        for _ in 0..40 {
            let side = SIDES[rng.below(2) as usize];
            let at = side as usize;
            match rng.below(10) {
                0..=2 if !parts[at].offers => {
                    let method = if rng.percent(70) { "INVITE" } else { "UPDATE" };
                    let body = any(&mut rng, side);
                    parts[at].offers = true;
                    talk.offers(side, method, &body);
                }
                3..=6 => {
                    if let Some(request) = parts[at].asked.take() {
                        let code = match rng.below(6) {
                            0 => 488,
                            1 => 491,
                            _ => 200,
                        };
                        let body = if code == 200 {
                            any(&mut rng, side)
                        } else {
                            String::new()
                        };
                        let code = StatusCode::try_from(code).expect("a code");
                        talk.respond(side, &request, code, &body);
                    }
                }
                7 if parts[at].offers => talk.cancels(side),
                8 => {
                    let leg = talk.bench.opened()[at];
                    let held = rng.percent(50);
                    talk.bench.act(|gateway, now| match held {
                        true => gateway.hold(now, leg),
                        false => gateway.resume(now, leg),
                    });
                }
                _ => talk.bench.wait(rng.below(4)),
            }
            look(&mut talk, &mut parts);
        }
        // Whoever was asked answers now, and nobody waits for ever.
        for _ in 0..20 {
            for side in SIDES {
                if let Some(request) = parts[side as usize].asked.take() {
                    let body = if side == Side::Carrier {
                        carrier("sendrecv")
                    } else {
                        phone("sendrecv")
                    };
                    talk.respond(side, &request, StatusCode::OK, &body);
                }
            }
            talk.bench.wait(3);
            look(&mut talk, &mut parts);
        }
        let ended = |talk: &Talk| {
            talk.bench
                .events
                .iter()
                .filter(|e| matches!(e, Event::Ended { .. }))
                .count()
        };
        if ended(&talk) == 0 {
            assert!(
                parts.iter().all(|part| !part.offers),
                "seed {seed}: an offer has no answer"
            );
            talk.says_bye(Side::Carrier);
        }
        talk.bench.wait(100);
        assert_eq!(ended(&talk), 1, "seed {seed}");
        answered += parts.iter().map(|part| part.answered).sum::<usize>();
    }
    assert!(answered > 500, "{answered}");
}
