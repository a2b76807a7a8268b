//! Calls in which both sides change the session, talk and refresh at the same time, over a network that loses.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::{Rng, Time};
use sip_core::endpoint::{
    Body, Config, Counts, Ended, Event, Headers, OutgoingInvite, SessionWish, Target, UsageId,
};
use sip_core::flow::Transport;
use sip_core::message::{Address, Method};
use sip_core::uri::Uri;

use crate::net::{Net, Weather};

#[derive(Default)]
struct Tally {
    /// Offers made and offers that came to an end, by leg.
    offered: BTreeMap<(usize, UsageId), u32>,
    settled: BTreeMap<(usize, UsageId), u32>,
    changed: u32,
    ended: BTreeMap<(usize, UsageId), Ended>,
}

/// Both sides of every call re-offer every few seconds for a minute, without a thought for the other, and then hang up.
fn simulate(seed: u64, calls: usize, loss: u64, config: &Config) -> Tally {
    let weather = Weather {
        transport: Transport::Udp,
        loss,
        duplication: 5,
    };
    let mut net = Net::with(seed, 2, weather, config);
    let mut rng = Rng::seeded(seed);
    let mut tally = Tally::default();
    let mut legs: Vec<(usize, UsageId, Time)> = Vec::new();
    for number in 0..calls {
        let uri = Uri::parse(&format!("sip:{number}@192.0.2.2")).unwrap();
        let (now, flow) = (net.now, net.flow(0, 1));
        net.endpoints[0].invite(
            now,
            OutgoingInvite {
                target: Target::Flow(flow),
                request_uri: uri.clone(),
                from: Address::new(Uri::parse("sip:alice@192.0.2.1").unwrap()),
                to: Address::new(uri),
                contact_user: String::new(),
                body: Some(Body::sdp("v=0\r\no=first\r\n")),
                parts: Vec::new(),
                extra: Headers::new(),
                credentials: None,
                ring_timeout: Duration::from_secs(60),
                response_timeout: None,
                session_timer: Some(SessionWish {
                    interval: Duration::from_secs(90),
                    refresher: None,
                }),
                reliable: sip_core::endpoint::Reliability::default(),
            },
        );
    }
    let end = net.now + Duration::from_secs(900);
    let mut version = 0;
    while net.now < end {
        let until = net.now + Duration::from_millis(500);
        let (tally_, legs_) = (&mut tally, &mut legs);
        net.run(until, |net, side, event| {
            let now = net.now;
            match event {
                Event::Invite { usage, .. } => {
                    net.endpoints[side].accept(
                        now,
                        usage,
                        Some(Body::sdp("v=0\r\no=second\r\n")),
                        Headers::new(),
                    );
                }
                Event::Answered { usage, .. } => legs_.push((side, usage, now + Duration::from_secs(200))),
                Event::Acked { usage, .. } if !legs_.iter().any(|leg| (leg.0, leg.1) == (side, usage)) => {
                    legs_.push((side, usage, now + Duration::from_secs(200)));
                }
                Event::Offer { usage, body, .. } => {
                    version += 1;
                    let body = body.map(|_| Body::sdp(format!("v=0\r\no=answer {version}\r\n")));
                    net.endpoints[side].answer_offer(now, usage, Ok(body), Headers::new());
                }
                Event::OfferAnswered { usage, .. } => {
                    tally_.changed += 1;
                    *tally_.settled.entry((side, usage)).or_default() += 1;
                }
                Event::OfferRefused { usage, .. } => *tally_.settled.entry((side, usage)).or_default() += 1,
                Event::Ended { usage, cause } => {
                    assert!(tally_.ended.insert((side, usage), cause).is_none());
                    legs_.retain(|leg| (leg.0, leg.1) != (side, usage));
                }
                _ => {}
            }
        });
        net.now = until;
        legs.retain(|(side, usage, hangup)| {
            let endpoint = &mut net.endpoints[*side];
            if until >= *hangup {
                endpoint.hangup(until, *usage, None, Headers::new());
                return true;
            }
            if until + Duration::from_secs(140) < *hangup && rng.percent(12) {
                version += 1;
                endpoint.offer(until, *usage, Body::sdp(format!("v=0\r\no=offer {version}\r\n")));
                *tally.offered.entry((*side, *usage)).or_default() += 1;
            }
            true
        });
    }
    for endpoint in &net.endpoints {
        assert_eq!(endpoint.counts(), Counts::default(), "something is left over");
    }
    tally
}

#[test]
fn every_offer_of_a_call_that_lives_is_settled_although_both_sides_offer_at_once() {
    for loss in [0, 20] {
        let tally = simulate(5 + loss, 100, loss, &Config::default());
        assert_eq!(tally.ended.len(), 200, "both legs of each call end");
        let lived: Vec<_> = tally
            .ended
            .iter()
            .filter(|(_, cause)| matches!(cause, Ended::LocalHangup))
            .collect();
        for (leg, _) in &lived {
            assert_eq!(
                tally.offered.get(leg),
                tally.settled.get(leg),
                "{leg:?} at {loss}%"
            );
        }
        assert!(tally.changed > 500, "{} changes at {loss}%", tally.changed);
        if loss == 0 {
            let odd = tally
                .ended
                .values()
                .filter(|cause| !matches!(cause, Ended::LocalHangup | Ended::Bye { .. }));
            assert_eq!(odd.count(), 0, "no call is lost on a good network");
        }
    }
}

#[test]
fn peers_without_update_refresh_by_reinvite() {
    let mut config = Config::default();
    config.allow.retain(|method| *method != Method::Update);
    let tally = simulate(9, 50, 10, &config);
    let expired = tally
        .ended
        .values()
        .filter(|cause| matches!(cause, Ended::SessionExpired))
        .count();
    assert!(
        expired <= 2,
        "{expired} sessions of 100 expired although both sides were there"
    );
}
