//! Messages of living calls, damaged: whatever comes, the endpoint stands, answers, and forgets it all in the end.

use std::time::Duration;

use bytes::Bytes;
use sans_io::Rng;
use sip_core::endpoint::{Body, Event, Headers};
use sip_core::flow::Transport;
use sip_core::message::StatusCode;

use crate::bench::{ANSWER, Bench, OFFER, outgoing, peer, request, response};

/// Flips, cuts, doubles and swaps pieces of a message.
fn damage(rng: &mut Rng, message: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = message.to_vec();
    for _ in 0..rng.below(4) {
        if out.is_empty() {
            break;
        }
        let at = rng.below(out.len() as u64) as usize;
        match rng.below(6) {
            0 => out[at] = rng.u32() as u8,
            1 => out.truncate(at),
            2 => {
                out.remove(at);
            }
            3 => {
                let end = (at + rng.below(40) as usize).min(out.len());
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
            4 => {
                let from = rng.below(other.len() as u64) as usize;
                let end = (from + rng.below(80) as usize).min(other.len());
                out.splice(at..at, other[from..end].iter().copied());
            }
            _ => {
                let number = rng.below(u64::from(u32::MAX) * 2).to_string();
                out.splice(at..at, number.bytes());
            }
        }
    }
    out
}

#[test]
fn damaged_messages_leave_it_standing() {
    let mut rng = Rng::seeded(77);
    let mut inputs = 0;
    while inputs < 10_000 {
        let mut bench = Bench::new();
        let ours = bench.invite(outgoing("sip:bob@192.0.2.9"));
        let invite = bench.last("INVITE");
        let theirs = bench.called(
            peer(Transport::Udp),
            "Require: 100rel\r\nSession-Expires: 90\r\n",
            OFFER,
        );
        bench.act(|endpoint, now| {
            endpoint.ring(
                now,
                theirs,
                StatusCode::SESSION_PROGRESS,
                Some(Body::sdp(ANSWER)),
                Headers::new(),
            )
        });
        let contact = "Contact: <sip:bob@192.0.2.9>\r\nRecord-Route: <sip:192.0.2.9;lr>\r\n";
        let mut seeds: Vec<Bytes> = vec![
            response(
                &invite,
                StatusCode::SESSION_PROGRESS,
                "bob",
                &format!("Require: 100rel\r\nRSeq: 3\r\n{contact}"),
                OFFER,
            ),
            response(
                &invite,
                StatusCode::OK,
                "bob",
                &format!("Session-Expires: 90;refresher=uac\r\n{contact}"),
                OFFER,
            ),
            response(
                &invite,
                StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                "x",
                "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n",
                "",
            ),
            response(&invite, StatusCode::BUSY_HERE, "x", "", ""),
        ];
        for method in ["INVITE", "OPTIONS", "REGISTER", "MESSAGE", "CANCEL", "ACK"] {
            seeds.push(request(method, "sip:1001@192.0.2.1", contact, OFFER).into());
        }
        for (number, method) in ["PRACK", "UPDATE", "INVITE", "INFO", "REFER", "ACK", "BYE"]
            .iter()
            .enumerate()
        {
            let cseq = 101 + number as u32;
            seeds.push(
                bench
                    .within_text(theirs, method, cseq, "RAck: 1 100 INVITE\r\n", OFFER)
                    .into(),
            );
        }
        for round in 0..50 {
            inputs += 1;
            let pick = rng.below(seeds.len() as u64) as usize;
            let other = rng.below(seeds.len() as u64) as usize;
            let data = damage(&mut rng, &seeds[pick], &seeds[other]);
            bench.receive(peer(Transport::Udp), data);
            for event in std::mem::take(&mut bench.events) {
                match event {
                    Event::Offer { usage, .. } => {
                        let answer = Ok(Some(Body::sdp(ANSWER)));
                        bench.act(|endpoint, now| endpoint.answer_offer(now, usage, answer, Headers::new()));
                    }
                    Event::Request { tx, .. } => {
                        bench.act(|endpoint, now| {
                            endpoint.reply(now, tx, StatusCode::OK, Headers::new(), None)
                        });
                    }
                    Event::Invite { usage, .. } if rng.percent(50) => {
                        bench.act(|endpoint, now| endpoint.accept(now, usage, None, Headers::new()));
                    }
                    Event::Invite { usage, .. } => {
                        bench.act(|endpoint, now| {
                            endpoint.reject(now, usage, StatusCode::BUSY_HERE, Headers::new())
                        });
                    }
                    _ => {}
                }
            }
            bench.sleep(Duration::from_millis(rng.below(400)));
            if round == 40 {
                for usage in [ours, theirs] {
                    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
                }
            }
        }
        bench.events.clear();
        let probe = request("OPTIONS", "sip:192.0.2.1", "", "")
            .replace("peer", "probe")
            .replace("bobtag", "probe");
        bench.receive(peer(Transport::Udp), probe);
        assert!(
            matches!(bench.event(), Event::Request { .. }),
            "no answer:\n{}",
            bench.ladder()
        );
        // Calls that damaged INVITEs began and nobody ended may stand; every transaction and name must be gone.
        bench.secs(400);
        let counts = bench.endpoint.counts();
        assert_eq!(
            (counts.client_transactions, counts.server_transactions),
            (0, 0),
            "{}",
            bench.ladder()
        );
    }
}
