//! G.722 and Opus at phones.

use media_core::negotiated::{Codec, Direction, TelephoneEvent};
use media_core::sdp::{Config, Peer, SrtpPolicy, peek};

use super::{audio, lines, phone, rng};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";

/// A phone that may have any codec of ours, wideband first.
fn config() -> Config {
    Config {
        codecs: vec![Codec::G722, Codec::Pcmu, Codec::Pcma, Codec::Opus],
        ..Config::phone()
    }
}

#[test]
fn wideband_wins_by_any_number_and_without_a_map() {
    // The number, the offer, and our answer's map.
    for (number, section) in [
        (9, "m=audio 4000 RTP/AVP 0 8 9\r\n"),
        (9, "m=audio 4000 RTP/AVP 8 9 0\r\na=rtpmap:9 g722/8000/1\r\n"),
        (97, "m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:97 G722/8000\r\n"),
    ] {
        let offer = format!("{HEAD}{section}");
        let made = phone(config())
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
            .unwrap();
        assert_eq!(audio(&made.negotiated).send, (number, Codec::G722), "{section}");
        assert_eq!(
            lines(&made.sdp, "a=rtpmap:"),
            [format!("{number} G722/8000")],
            "{section}"
        );
    }
}

#[test]
fn a_phone_with_one_codec_alone_is_served_whichever_it_is() {
    for (formats, codec, clock) in [
        ("9 101\r\na=rtpmap:101 telephone-event/8000", Codec::G722, 8_000),
        (
            "96 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 stereo=1;useinbandfec=1\r\na=rtpmap:101 telephone-event/8000",
            Codec::Opus,
            8_000,
        ),
        (
            "96 97\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/48000",
            Codec::Opus,
            48_000,
        ),
    ] {
        let offer = format!("{HEAD}m=audio 4000 RTP/AVP {formats}\r\n");
        let seen = peek(offer.as_bytes(), &[], SrtpPolicy::Off).unwrap();
        assert_eq!((seen.peer, seen.codecs), (Peer::Phone, vec![codec]), "{formats}");
        let made = phone(config())
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
            .unwrap();
        let audio = audio(&made.negotiated);
        assert_eq!(audio.send.1, codec, "{formats}");
        assert_eq!(
            audio.telephone_event.map(|event| event.clock),
            Some(clock),
            "{formats}"
        );
        assert!(audio.hears_wideband(), "{formats}");
    }
}

#[test]
fn our_offer_names_them_and_a_phone_chooses() {
    let mut ours = phone(config());
    let offer = ours.offer(Direction::SendRecv);
    assert_eq!(lines(&offer, "m="), ["audio 20000 RTP/AVP 9 0 8 111 101 110"]);
    assert_eq!(
        lines(&offer, "a=rtpmap:")[..4],
        ["9 G722/8000", "0 PCMU/8000", "8 PCMA/8000", "111 opus/48000/2"]
    );
    let answer = format!("{HEAD}m=audio 4000 RTP/AVP 9 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    let agreed = ours.handle_answer(answer.as_bytes()).unwrap();
    assert_eq!(audio(&agreed).send, (9, Codec::G722));
    let event = TelephoneEvent {
        send: 101,
        receive: 101,
        clock: 8_000,
    };
    assert_eq!(audio(&agreed).telephone_event, Some(event));
    // A re-offer begins with the codec in use.
    assert_eq!(
        lines(&ours.offer(Direction::SendRecv), "m="),
        ["audio 20000 RTP/AVP 9 0 8 111 101 110"]
    );
}
