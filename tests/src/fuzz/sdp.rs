//! One session description, as an offer and as an answer, to a browser leg and to a phone leg.

use media_core::negotiated::{
    Codec, Direction, DtlsRole, Fingerprint, Hash, IceCredentials, Negotiated, Passed, Transport,
};
use media_core::sdp::{Asked, Browser, Config, Negotiator, Peer, Profile, SrtpPolicy, peek, peek_passing};
use sans_io::Rng;

use super::Target;
use crate::corpora;

/// See the module.
pub const TARGET: Target = Target {
    name: "sdp",
    seeds,
    words: WORDS,
    run,
};

const WORDS: &[&str] = &[
    "v=0\r\n",
    "o=- 1 1 IN IP4 192.0.2.9\r\n",
    "c=IN IP4 192.0.2.9\r\n",
    "c=IN IP6 ::\r\n",
    "c=IN IP4 0.0.0.0\r\n",
    "c=IN IP4 224.0.0.1/127/3\r\n",
    "m=audio 4000 RTP/AVP 0 8 101\r\n",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n",
    "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n",
    "m=image 4000 udptl t38\r\n",
    "a=T38FaxVersion:0\r\n",
    "a=T38FaxUdpEC:t38UDPRedundancy\r\n",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
    "RTP/SAVP",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n",
    "a=crypto:",
    "AES_CM_128_HMAC_SHA1_32",
    "AEAD_AES_256_GCM",
    "|2^20",
    "|1:4",
    " UNENCRYPTED_SRTCP",
    " WSH=64",
    "RTP/AVPF",
    "a=rtpmap:",
    "opus/48000/2",
    "PCMU/8000",
    "telephone-event/8000",
    "a=fmtp:111 ",
    "maxplaybackrate=",
    "maxaveragebitrate=",
    "a=ptime:",
    "a=maxptime:",
    "a=sendonly\r\n",
    "a=recvonly\r\n",
    "a=inactive\r\n",
    "a=sendrecv\r\n",
    "a=rtcp:",
    "a=rtcp-mux\r\n",
    "a=ice-ufrag:",
    "a=ice-pwd:",
    "a=ice-lite\r\n",
    "a=fingerprint:sha-256 ",
    "a=fingerprint:sha-1 ",
    "a=setup:actpass\r\n",
    "a=setup:active\r\n",
    "a=setup:passive\r\n",
    "a=setup:holdconn\r\n",
    "a=mid:",
    "a=group:BUNDLE 0\r\n",
    "a=bundle-only\r\n",
    "a=tls-id:",
    "/2",
    "=",
    ":",
    " ",
];

/// Offers of browsers and phones, and those of the corpora that are there.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = OWN.iter().map(|text| text.as_bytes().to_vec()).collect();
    for name in ["sdp-jsep-rfc9429", "sdp-transform"] {
        let Some(folder) = corpora::folder(name, "seeds for the sdp fuzz target") else {
            continue;
        };
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|file| file.expect("a file").path())
            .collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "sdp"));
        files.sort();
        seeds.extend(files.iter().map(|path| std::fs::read(path).expect("a file")));
    }
    seeds
}

const OWN: &[&str] = &[
    include_str!("../../../sip-stack/media-core/tests/sdp/offers/chromium.sdp"),
    include_str!("../../../sip-stack/media-core/tests/sdp/offers/chromium-answer.sdp"),
    include_str!("../../../sip-stack/media-core/tests/sdp/offers/chromium-video-first.sdp"),
    include_str!("../../../sip-stack/media-core/tests/sdp/offers/firefox.sdp"),
    include_str!("../../../sip-stack/media-core/tests/sdp/offers/firefox-video-data-hold.sdp"),
    include_str!("../../../sip-stack/media-core/tests/sdp/offers/safari.sdp"),
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 8 0\r\n\
     a=crypto:1 AEAD_AES_256_GCM inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\
     a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20\r\n",
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n\
     a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj WSH=64\r\n",
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\n\
     a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:4001\r\na=ptime:20\r\na=sendrecv\r\n",
    "v=0\nm=audio 4000/2 RTP/AVPF 96 0\nc=IN IP6 2001:db8::9\na=rtpmap:96 opus/48000/2\na=rtcp-mux\na=sendonly\n\
     m=image 4002 udptl t38\n",
    FAX,
    PASSED,
];

const PASSED: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18 97 98 99 101\r\n\
     a=fmtp:18 annexb=no\r\na=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\na=rtpmap:98 AMR-WB/16000/1\r\n\
     a=fmtp:98 octet-align=1; mode-change-capability=2\r\na=rtpmap:99 speex/16000\r\na=rtpmap:101 telephone-event/16000\r\n";

const FAX: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n\
     m=image 4002 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxFillBitRemoval\r\n";

/// Nothing panics; an answer has the sections of its offer, says nothing that its reader could misread, and comes out the
/// same when the offer comes again.
pub fn run(input: &[u8]) {
    let seen = peek(input, &[], SrtpPolicy::Off);
    let legs = [
        (Peer::Browser, SrtpPolicy::Off, false),
        (Peer::Browser, SrtpPolicy::Off, true),
        (Peer::Phone, SrtpPolicy::Off, false),
        (Peer::Phone, SrtpPolicy::Optional, false),
        (Peer::Phone, SrtpPolicy::Required, false),
    ];
    for (peer, srtp, full) in legs {
        let mut rng = Rng::seeded(1);
        let mut ours = negotiator((peer, srtp, full), &mut rng);
        let answer = ours.handle_offer(input, Direction::SendRecv, &mut rng);
        match &answer {
            Ok(answer) => {
                assert!(seen.is_ok(), "what can be answered can be seen");
                sane(&answer.negotiated, srtp);
                let keys = answer.sdp.matches("\r\na=crypto:").count();
                assert_eq!(
                    keys,
                    usize::from(is_encrypted(&answer.negotiated)),
                    "{}",
                    answer.sdp
                );
                check(&answer.sdp, peer);
                assert_eq!(sections(&answer.sdp), sections(&String::from_utf8_lossy(input)));
                let again = ours.handle_offer(input, Direction::SendRecv, &mut rng);
                assert_eq!(again.as_ref(), Ok(answer), "the same offer again");
                check(&ours.offer(Direction::SendOnly), peer);
            }
            Err(error) => {
                assert!(matches!(error.code(), 400 | 488));
                assert!(!error.to_string().contains(['\r', '\n']), "{error:?}");
                assert_eq!(ours.last_answer(), None);
            }
        }
        let mut ours = negotiator((peer, srtp, full), &mut rng);
        check(&ours.offer(Direction::SendRecv), peer);
        if let Ok(media) = ours.handle_answer(input) {
            sane(&media, srtp);
            check(&ours.offer(Direction::Inactive), peer);
            let _ = ours.handle_offer(input, Direction::SendRecv, &mut rng);
        }
        if peer == Peer::Phone {
            passed(input, srtp, &mut rng);
            faxes(input, srtp, &mut rng);
        }
    }
}

/// Formats that can only be passed on are read out of our offer to the other side as the first side wrote them; the answer goes back.
fn passed(input: &[u8], srtp: SrtpPolicy, rng: &mut Rng) {
    let Ok(seen) = peek_passing(input, &[], srtp) else {
        return;
    };
    assert!(seen.passed.len() <= 16, "bounded");
    let Some(first) = seen.passed.first().cloned() else {
        return;
    };
    let mut callee = negotiator((Peer::Phone, SrtpPolicy::Off, false), rng);
    callee.config.codecs = seen
        .passed
        .iter()
        .map(|passed| Codec::Foreign(passed.format))
        .collect();
    callee.config.passed = seen.passed.clone();
    let offer = callee.offer(Direction::SendRecv);
    let read = peek_passing(offer.as_bytes(), &[], SrtpPolicy::Off).expect("what we write");
    let named = |passed: &[Passed]| -> Vec<_> {
        let named = passed.iter().map(|passed| (passed.format, passed.fmtp.clone()));
        named.collect()
    };
    assert_eq!(named(&read.passed), named(&seen.passed), "{offer}");
    let mut caller = negotiator((Peer::Phone, srtp, false), rng);
    caller.config.codecs = vec![Codec::Foreign(first.format)];
    caller.config.passed = vec![first.clone()];
    if let Ok(answer) = caller.handle_offer(input, Direction::SendRecv, rng) {
        let audio = answer.negotiated.audio().expect("audio");
        assert_eq!(audio.send, (first.number, Codec::Foreign(first.format)));
        let media = callee.handle_answer(answer.sdp.as_bytes());
        if sections(&answer.sdp) == 1 && matches!(answer.negotiated.transport, Transport::Rtp { .. }) {
            let media = media.expect("our answer to our offer");
            assert_eq!(media.audio().map(|audio| audio.send.1), Some(audio.send.1));
        }
    }
    let _ = callee.handle_answer(input);
}

/// What an offer asks for is what its answer gives, and a fax reaches the other side as the first one described it.
fn faxes(input: &[u8], srtp: SrtpPolicy, rng: &mut Rng) {
    let mut ours = agreed(srtp, rng);
    let asked = ours.assess(input);
    let voice = ours.clone().handle_offer(input, Direction::SendRecv, rng);
    match &asked {
        Ok(Asked::Voice(most)) => {
            if let Ok(answer) = voice {
                let audio = answer.negotiated.audio().expect("audio");
                assert_eq!(audio.direction, *most);
            }
        }
        Ok(Asked::Fax(fax)) => {
            assert!(voice.is_err() && srtp != SrtpPolicy::Required);
            let answer = ours
                .answer_fax(input, fax)
                .expect("what is asked for can be answered");
            assert_eq!(sections(&answer.sdp), sections(&String::from_utf8_lossy(input)));
            let offer = agreed(srtp, rng)
                .offer_fax(fax)
                .expect("another leg may be asked");
            let other = agreed(SrtpPolicy::Off, rng).assess(offer.as_bytes());
            assert_eq!(other.as_ref(), Ok(&Asked::Fax(fax.clone())), "{offer}");
        }
        Err(_) => assert!(voice.is_err() && ours.answer_fax(input, &Default::default()).is_err()),
    }
    let mut ours = agreed(srtp, rng);
    if ours.offer_fax(&Default::default()).is_some() {
        let _ = ours.handle_fax_answer(input);
        check(&ours.offer(Direction::SendRecv), Peer::Phone);
    }
}

/// A phone's leg that talks.
fn agreed(srtp: SrtpPolicy, rng: &mut Rng) -> Negotiator {
    let mut out = negotiator((Peer::Phone, srtp, false), rng);
    let voice = "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\n";
    let _ = out.handle_offer(voice.as_bytes(), Direction::SendRecv, rng);
    out
}

fn negotiator((peer, srtp, full): (Peer, SrtpPolicy, bool), rng: &mut Rng) -> Negotiator {
    let (profile, config) = match peer {
        Peer::Phone => (Profile::Phone(srtp), Config::phone()),
        Peer::Browser => {
            let side = Browser {
                ice: IceCredentials {
                    ufrag: "ours".to_owned(),
                    pwd: "0123456789abcdefghijklmn".to_owned(),
                },
                fingerprint: Fingerprint {
                    hash: Hash::Sha256,
                    value: vec![7; 32],
                },
                role: DtlsRole::Passive,
                renew: |before, _| before.clone(),
                full,
            };
            (Profile::Browser(side), Config::browser())
        }
    };
    let mut out = Negotiator::new(profile, config, rng);
    out.local(&[
        "192.0.2.1:20000".parse().expect("an address"),
        "192.0.2.1:20001".parse().expect("an address"),
    ]);
    out
}

/// Our SDP is accepted by a strict reader, and asks for the kind of leg that wrote it.
fn check(ours: &str, peer: Peer) {
    for line in ours.split_terminator("\r\n") {
        assert_eq!(line.as_bytes().get(1), Some(&b'='), "{line}");
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
    }
    assert!(ours.ends_with("\r\n"));
    let seen = peek(
        ours.replace("a=ice-lite\r\n", "").as_bytes(),
        &[],
        SrtpPolicy::Off,
    )
    .expect("what we write can be answered");
    assert_eq!(seen.peer, peer);
}

fn sections(sdp: &str) -> usize {
    let key = |line: &str| {
        line.trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '\0' | '\u{feff}'))
            .split('=')
            .next()
            .map(|key| key.trim_end().to_owned())
    };
    sdp.split(['\r', '\n'])
        .filter(|line| line.contains('=') && key(line).as_deref() == Some("m"))
        .count()
}

fn is_encrypted(media: &Negotiated) -> bool {
    matches!(media.transport, Transport::Sdes { .. })
}

fn sane(media: &Negotiated, srtp: SrtpPolicy) {
    assert!(
        srtp != SrtpPolicy::Required || is_encrypted(media),
        "in the clear"
    );
    let [media] = &media.streams[..] else {
        panic!("one stream is agreed: {media:?}");
    };
    assert!((10..=60).contains(&media.ptime_ms) && media.ptime_ms.is_multiple_of(10));
    assert!(!media.receive.is_empty());
    assert!(media.receive.iter().chain([&media.send]).all(|(pt, _)| *pt < 128));
}
