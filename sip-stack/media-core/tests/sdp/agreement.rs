use std::collections::BTreeMap;

use media_core::negotiated::{Codec, Direction, Negotiated, Transport};
use media_core::sdp::{Config, Negotiator, SdpError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{audio, browser, lines, phone, rng};

fn direction() -> impl Strategy<Value = Direction> {
    select(vec![
        Direction::SendRecv,
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::Inactive,
    ])
}

fn config() -> impl Strategy<Value = Config> {
    let codecs = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
    let codecs = subsequence(codecs.to_vec(), 1..=4).prop_shuffle();
    (codecs, any::<bool>(), 10..=60_u8, any::<bool>()).prop_map(
        |(codecs, telephone_event, ptime_ms, narrowband)| Config {
            passed: Vec::new(),
            codecs,
            telephone_event,
            ptime_ms,
            narrowband,
            media_security: false,
        },
    )
}

/// One exchange: the side that offers, its offer, the wish of the other.
type Step = (bool, Direction, Direction);

proptest! {
    /// Either side offers, any number of times: both ends get the same session.
    #[test]
    fn both_ends_agree(
        phones in any::<bool>(),
        configs in (config(), config()),
        steps in vec((any::<bool>(), direction(), direction()), 1..8),
    ) {
        converse(phones, configs, &steps);
    }
}

fn converse(phones: bool, configs: (Config, Config), steps: &[Step]) {
    let common = configs
        .0
        .codecs
        .iter()
        .any(|codec| configs.1.codecs.contains(codec));
    let make = |config| if phones { phone(config) } else { browser(config) };
    let mut ends = [make(configs.0), make(configs.1)];
    let mut watch = [Watch::default(), Watch::default()];
    let mut random = rng();
    for &(second, offered, wanted) in steps {
        let (o, a) = if second { (1, 0) } else { (0, 1) };
        let offer = ends[o].offer(offered);
        watch[o].written(&offer);
        match ends[a].handle_offer(full_ice(&offer).as_bytes(), wanted, &mut random) {
            Ok(answer) => {
                watch[a].written(&answer.sdp);
                assert_eq!(lines(&answer.sdp, "a=mid:"), lines(&offer, "a=mid:"));
                assert_eq!(lines(&answer.sdp, "a=group:"), lines(&offer, "a=group:"));
                assert_eq!(lines(&answer.sdp, "m=").len(), lines(&offer, "m=").len());
                let media = ends[o].handle_answer(full_ice(&answer.sdp).as_bytes()).unwrap();
                agree(&media, &answer.negotiated);
                assert_eq!(
                    (
                        audio(&media).direction.sends(),
                        audio(&media).direction.receives()
                    ),
                    (
                        offered.sends() && wanted.receives(),
                        offered.receives() && wanted.sends()
                    )
                );
                watch[o].agreed(&media);
                watch[a].agreed(&answer.negotiated);
            }
            Err(error) => {
                assert_eq!(error, SdpError::NoCommonCodec);
                assert!(!common, "a common codec was not found");
            }
        }
    }
}

/// Our side is ICE-lite; for a test of both ends the other one is not.
fn full_ice(sdp: &str) -> String {
    sdp.replace("a=ice-lite\r\n", "")
}

fn agree(ours: &Negotiated, theirs: &Negotiated) {
    let (a, b) = (audio(ours), audio(theirs));
    assert_eq!(a.direction, b.direction.reversed());
    assert!(
        b.receive.contains(&a.send) && a.receive.contains(&b.send),
        "{a:?} {b:?}"
    );
    assert_eq!(
        a.telephone_event.map(|event| event.clock),
        b.telephone_event.map(|event| event.clock)
    );
    if let (Some(a), Some(b)) = (a.telephone_event, b.telephone_event) {
        assert_eq!((a.send, a.receive), (b.receive, b.send));
    }
    match (&ours.transport, &theirs.transport) {
        (
            Transport::Dtls {
                remote_ice: ra,
                local_ice: la,
                role: x,
                ..
            },
            Transport::Dtls {
                remote_ice: rb,
                local_ice: lb,
                role: y,
                ..
            },
        ) => {
            assert_eq!((ra, la), (lb, rb));
            assert_ne!(x, y);
        }
        (Transport::Rtp { remote: Some(_), .. }, Transport::Rtp { remote: Some(_), .. }) => {}
        other => panic!("{other:?}"),
    }
}

/// Parts that may not change in the descriptions of one end.
#[derive(Default)]
struct Watch {
    last: Option<String>,
    numbers: BTreeMap<u8, Codec>,
    transport: Option<Transport>,
}

impl Watch {
    fn written(&mut self, sdp: &str) {
        let origin = |sdp: &str| {
            let origin = lines(sdp, "o=")[0].to_owned();
            let words: Vec<_> = origin.split(' ').map(str::to_owned).collect();
            (words[1].clone(), words[2].parse::<u64>().unwrap(), origin)
        };
        let body = |sdp: &str| {
            sdp.split("\r\n")
                .filter(|line| !line.starts_with("o="))
                .collect::<String>()
        };
        if let Some(last) = self.last.replace(sdp.to_owned()) {
            let ((id, version, _), (last_id, last_version, _)) = (origin(sdp), origin(&last));
            assert_eq!(id, last_id);
            assert_eq!(version - last_version, u64::from(body(sdp) != body(&last)));
        }
    }

    fn agreed(&mut self, media: &Negotiated) {
        let stream = audio(media);
        for &(pt, codec) in stream.receive.iter().chain([&stream.send]) {
            assert_eq!(
                *self.numbers.entry(pt).or_insert(codec),
                codec,
                "a number changed its meaning"
            );
        }
        let transport = self.transport.get_or_insert_with(|| media.transport.clone());
        assert_eq!(*transport, media.transport, "nothing asked for another transport");
    }
}

#[test]
fn a_late_offer_is_an_offer() {
    let mut caller: Negotiator = phone(Config::phone());
    let mut called: Negotiator = phone(Config::phone());
    let offer = called.offer(Direction::SendRecv);
    let answer = caller
        .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    agree(
        &called.handle_answer(answer.sdp.as_bytes()).unwrap(),
        &answer.negotiated,
    );
}
