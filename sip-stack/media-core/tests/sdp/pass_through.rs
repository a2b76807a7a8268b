//! Formats that we can neither decode nor encode, and pass on between two phones.

use media_core::negotiated::{Codec, Direction, Foreign, Passed};
use media_core::sdp::{Config, Peek, SdpError, SrtpPolicy, peek, peek_passing};

use super::{audio, lines, phone, rng};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";

/// G.729 by its static number, iLBC and both packings of AMR; then codecs of ours.
const OFFER: &str = "m=audio 4000 RTP/AVP 18 97 98 99 0 101\r\na=fmtp:18 annexb=no\r\na=rtpmap:97 ilbc/8000\r\n\
    a=fmtp:97 mode=20\r\na=rtpmap:98 AMR/8000\r\na=fmtp:98 mode-set=0,2\r\na=rtpmap:99 AMR/8000/1\r\n\
    a=fmtp:99 octet-align=1\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:30\r\n";

fn seen(sections: &str) -> Peek {
    peek_passing(format!("{HEAD}{sections}").as_bytes(), &[], SrtpPolicy::Off).unwrap()
}

fn foreign(encoding: &str, fmtp: Option<&str>) -> Codec {
    Codec::Foreign(Foreign::named(encoding, fmtp).unwrap())
}

/// Settings of a leg that may have these formats, before the codecs of ours.
fn passing(passed: &[Passed], ours: &[Codec]) -> Config {
    let foreign = passed.iter().map(|passed| Codec::Foreign(passed.format));
    Config {
        codecs: foreign.chain(ours.iter().copied()).collect(),
        passed: passed.to_vec(),
        ..Config::phone()
    }
}

#[test]
fn an_offer_names_what_can_only_be_passed_on() {
    let seen = seen(OFFER);
    assert_eq!(seen.codecs, [Codec::Pcmu]);
    let named: Vec<_> = seen
        .passed
        .iter()
        .map(|passed| (passed.format.name(), passed.number, passed.fmtp.as_deref()))
        .collect();
    assert_eq!(
        named,
        [
            ("G729", 18, Some("annexb=no")),
            ("iLBC", 97, Some("mode=20")),
            ("AMR", 98, Some("mode-set=0,2")),
            ("AMR", 99, Some("octet-align=1"))
        ]
    );
    // Alone they are no offer that we can answer by ourselves.
    let alone = format!("{HEAD}m=audio 4000 RTP/AVP 18\r\n");
    assert_eq!(
        peek(alone.as_bytes(), &[], SrtpPolicy::Off),
        Err(SdpError::NoCommonCodec)
    );
    let beside = format!("{HEAD}m=audio 4000 RTP/AVP 13 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    assert_eq!(
        peek_passing(beside.as_bytes(), &[], SrtpPolicy::Off),
        Err(SdpError::NoCommonCodec),
        "no sound among them"
    );
}

#[test]
fn formats_go_on_as_they_are_and_the_answer_comes_back_in_the_same_way() {
    let offered = seen(OFFER).passed;
    let mut callee = phone(passing(&offered, &[]));
    let offer = callee.offer(Direction::SendRecv);
    assert_eq!(
        lines(&offer, "m="),
        ["audio 20000 RTP/AVP 18 97 98 99 101"],
        "{offer}"
    );
    assert_eq!(
        lines(&offer, "a=rtpmap:"),
        [
            "18 G729/8000",
            "97 iLBC/8000",
            "98 AMR/8000",
            "99 AMR/8000",
            "101 telephone-event/8000"
        ]
    );
    assert_eq!(
        lines(&offer, "a=fmtp:"),
        [
            "18 annexb=no",
            "97 mode=20",
            "98 mode-set=0,2",
            "99 octet-align=1",
            "101 0-15"
        ]
    );
    assert_eq!(lines(&offer, "a=ptime:"), [""; 0], "for the two to know");

    // It takes the octet-aligned packing, by a number of its own.
    let answer = format!(
        "{HEAD}m=audio 4000 RTP/AVP 100 101\r\na=rtpmap:100 amr/8000\r\na=fmtp:100 octet-align=1;mode-set=7\r\n\
         a=rtpmap:101 telephone-event/8000\r\n"
    );
    let agreed = callee.handle_answer(answer.as_bytes()).unwrap();
    let amr = foreign("AMR/8000", Some("octet-align=1"));
    assert_eq!(audio(&agreed).send, (100, amr));
    assert_eq!(audio(&agreed).receive, [(99, amr)]);
    assert_eq!(
        audio(&agreed).telephone_event.map(|event| event.clock),
        Some(8_000)
    );

    let described = callee.spoken().passed.clone();
    assert_eq!(described[0].fmtp.as_deref(), Some("octet-align=1;mode-set=7"));
    let mut caller = phone(passing(&described, &[Codec::Pcmu]));
    let made = caller
        .handle_offer(
            format!("{HEAD}{OFFER}").as_bytes(),
            Direction::SendRecv,
            &mut rng(),
        )
        .unwrap();
    assert_eq!(audio(&made.negotiated).send, (99, amr), "not the other packing");
    assert_eq!(lines(&made.sdp, "m="), ["audio 20000 RTP/AVP 99 101"]);
    assert_eq!(
        lines(&made.sdp, "a=fmtp:"),
        ["99 octet-align=1;mode-set=7", "101 0-15"]
    );
}

#[test]
fn an_answer_with_several_formats_is_taken_at_its_first() {
    let offered = seen(OFFER).passed;
    let g729 = foreign("G729/8000", None);
    for (formats, send, receive) in [
        ("0 18", (0, Codec::Pcmu), [(0, Codec::Pcmu)]),
        ("18 0", (18, g729), [(18, g729)]),
    ] {
        let mut callee = phone(passing(&offered, &[Codec::Pcmu]));
        callee.offer(Direction::SendRecv);
        let answer = format!("{HEAD}m=audio 4000 RTP/AVP {formats}\r\n");
        let agreed = callee.handle_answer(answer.as_bytes()).unwrap();
        assert_eq!(
            (audio(&agreed).send, &audio(&agreed).receive[..]),
            (send, &receive[..])
        );
    }
}

#[test]
fn a_format_that_was_not_offered_is_no_answer() {
    let mut callee = phone(passing(&seen(OFFER).passed, &[]));
    callee.offer(Direction::SendRecv);
    for formats in ["0", "4", "97\r\na=rtpmap:97 speex/8000"] {
        let answer = format!("{HEAD}m=audio 4000 RTP/AVP {formats}\r\n");
        assert_eq!(
            callee.handle_answer(answer.as_bytes()),
            Err(SdpError::NoCommonCodec),
            "{formats}"
        );
    }
}

#[test]
fn a_number_that_is_taken_is_not_given_away() {
    // The caller has iLBC where our side has Opus, or events.
    let offer = "m=audio 4000 RTP/AVP 111 101\r\na=rtpmap:111 iLBC/8000\r\na=rtpmap:101 speex/16000\r\n";
    let passed = seen(offer).passed;
    let mut callee = phone(Config {
        codecs: vec![
            Codec::Opus,
            Codec::Foreign(passed[0].format),
            Codec::Foreign(passed[1].format),
        ],
        ..passing(&passed, &[])
    });
    let offer = callee.offer(Direction::SendRecv);
    assert_eq!(
        lines(&offer, "a=rtpmap:"),
        [
            "111 opus/48000/2",
            "96 iLBC/8000",
            "101 speex/16000",
            "97 telephone-event/8000",
            "98 telephone-event/16000",
            "110 telephone-event/48000"
        ]
    );
}
