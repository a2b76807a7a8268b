use std::net::SocketAddr;

use media_core::negotiated::{Codec, Direction, Negotiated, TelephoneEvent, Transport};
use media_core::sdp::{Answer, Config, Family, Negotiator, Peer, Profile, SdpError, SrtpPolicy, peek};
use sans_io::Rng;

use super::{audio, lines, phone, rng};

const HEAD: &str =
    "v=0\r\no=phone 53655765 2353687637 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";

fn answer(offer: &str) -> Result<Answer, SdpError> {
    phone(Config::phone()).handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
}

fn remote(media: &Negotiated) -> (Option<SocketAddr>, Option<SocketAddr>, bool) {
    match media.transport {
        Transport::Rtp {
            remote,
            remote_rtcp,
            rtcp_mux,
        } => (remote, remote_rtcp, rtcp_mux),
        Transport::Dtls { .. } | Transport::Sdes { .. } | Transport::Udptl { .. } => panic!("not a phone's"),
    }
}

fn at(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn the_answer_to_a_phone() {
    let offer = format!(
        "{HEAD}m=audio 11780 RTP/AVP 9 8 0 18 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n\
         m=image 12002 udptl t38\r\na=T38FaxVersion:0\r\n"
    );
    let answer = answer(&offer).unwrap();
    insta::assert_snapshot!(answer.sdp.replace("\r\n", "\n"));
    insta::assert_debug_snapshot!(answer.negotiated);
}

#[test]
fn our_offer() {
    insta::assert_snapshot!(
        phone(Config::phone())
            .offer(Direction::SendRecv)
            .replace("\r\n", "\n")
    );
}

/// Our direction for each pair of the peer's offer and our wish: RFC 3264 §6.1.
#[test]
fn every_pair_of_directions() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (offered, wants) in [
        ("sendrecv", [SendRecv, SendOnly, RecvOnly, Inactive]),
        ("sendonly", [RecvOnly, Inactive, RecvOnly, Inactive]),
        ("recvonly", [SendOnly, SendOnly, Inactive, Inactive]),
        ("inactive", [Inactive, Inactive, Inactive, Inactive]),
    ] {
        for (want, expected) in [SendRecv, SendOnly, RecvOnly, Inactive].into_iter().zip(wants) {
            for offer in [
                format!("{HEAD}m=audio 4000 RTP/AVP 0\r\na={offered}\r\n"),
                format!("{HEAD}a={offered}\r\nm=audio 4000 RTP/AVP 0\r\n"),
                format!("{HEAD}a=inactive\r\nm=audio 4000 RTP/AVP 0\r\na={offered}\r\n"),
            ] {
                let answer = phone(Config::phone())
                    .handle_offer(offer.as_bytes(), want, &mut rng())
                    .unwrap();
                assert_eq!(
                    audio(&answer.negotiated).direction,
                    expected,
                    "{offered}, we want {want:?}"
                );
                let written = ["sendrecv", "sendonly", "recvonly", "inactive"]
                    .map(|direction| answer.sdp.contains(&format!("a={direction}\r\n")));
                assert_eq!(
                    written,
                    [SendRecv, SendOnly, RecvOnly, Inactive].map(|direction| direction == expected)
                );
            }
            // and for each pair of what we offer and what the peer answers, whether it may answer so or not
            let mut offerer = phone(Config::phone());
            offerer.offer(want);
            let media = offerer
                .handle_answer(format!("{HEAD}m=audio 4000 RTP/AVP 0\r\na={offered}\r\n").as_bytes())
                .unwrap();
            assert_eq!(
                audio(&media).direction,
                expected,
                "we offer {want:?}, answered {offered}"
            );
        }
    }
}

#[test]
fn hold_of_old_and_new() {
    let mut ours = phone(Config::phone());
    let mut random = rng();
    let active = format!("{HEAD}m=audio 4000 RTP/AVP 0\r\n");
    let old_hold = active.replace("c=IN IP4 192.0.2.9", "c=IN IP4 0.0.0.0");
    let hold = format!("{active}a=sendonly\r\n");
    for (offer, direction, place) in [
        (&active, Direction::SendRecv, at("192.0.2.9:4000")),
        (&old_hold, Direction::RecvOnly, None),
        (&active, Direction::SendRecv, at("192.0.2.9:4000")),
        (&hold, Direction::RecvOnly, at("192.0.2.9:4000")),
        (&active, Direction::SendRecv, at("192.0.2.9:4000")),
    ] {
        let answer = ours
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut random)
            .unwrap();
        assert_eq!(
            (audio(&answer.negotiated).direction, remote(&answer.negotiated).0),
            (direction, place)
        );
    }
    // held by both: theirs ends, ours stays
    let both = ours
        .handle_offer(hold.as_bytes(), Direction::SendOnly, &mut random)
        .unwrap();
    assert_eq!(audio(&both.negotiated).direction, Direction::Inactive);
    let ours_alone = ours
        .handle_offer(active.as_bytes(), Direction::SendOnly, &mut random)
        .unwrap();
    assert_eq!(audio(&ours_alone.negotiated).direction, Direction::SendOnly);
    // and ours ends by an offer
    let offer = ours.offer(Direction::SendRecv);
    assert_eq!(lines(&offer, "m="), ["audio 20000 RTP/AVP 0 8 101"]);
    assert_eq!(
        audio(&ours.handle_answer(active.as_bytes()).unwrap()).direction,
        Direction::SendRecv
    );
}

#[test]
fn where_media_goes() {
    for (section, rtp, rtcp, mux) in [
        (
            "m=audio 4000 RTP/AVP 0\r\n",
            at("192.0.2.9:4000"),
            at("192.0.2.9:4001"),
            false,
        ),
        (
            "m=audio 4000/2 RTP/AVP 0\r\n",
            at("192.0.2.9:4000"),
            at("192.0.2.9:4001"),
            false,
        ),
        (
            "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 198.51.100.7\r\n",
            at("198.51.100.7:4000"),
            at("198.51.100.7:4001"),
            false,
        ),
        (
            "m=audio 4000 RTP/AVP 0\r\na=rtcp:4999\r\n",
            at("192.0.2.9:4000"),
            at("192.0.2.9:4999"),
            false,
        ),
        (
            "m=audio 4000 RTP/AVP 0\r\na=rtcp:4999 IN IP4 198.51.100.7\r\n",
            at("192.0.2.9:4000"),
            at("198.51.100.7:4999"),
            false,
        ),
        (
            "m=audio 4000 RTP/AVP 0\r\na=rtcp:1 IN IP7 X\r\n",
            at("192.0.2.9:4000"),
            at("192.0.2.9:1"),
            false,
        ),
        (
            "m=audio 4000 RTP/AVP 0\r\na=rtcp-mux\r\n",
            at("192.0.2.9:4000"),
            at("192.0.2.9:4000"),
            true,
        ),
        ("m=audio 65535 RTP/AVP 0\r\n", at("192.0.2.9:65535"), None, false),
        (
            "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 media.example.com\r\n",
            None,
            None,
            false,
        ),
    ] {
        let answer = answer(&format!("{HEAD}{section}")).unwrap();
        assert_eq!(remote(&answer.negotiated), (rtp, rtcp, mux), "{section}");
        assert_eq!(answer.sdp.contains("a=rtcp-mux"), mux);
    }
    for bad in ["224.2.1.1/127", "255.255.255.255"] {
        let offer = format!("{HEAD}m=audio 4000 RTP/AVP 0\r\nc=IN IP4 {bad}\r\n");
        assert!(matches!(answer(&offer), Err(SdpError::Address(_))), "{bad}");
    }
}

#[test]
fn our_own_rtcp_port_is_named_when_it_is_not_the_next_one() {
    let mut ours = phone(Config::phone());
    ours.local(&[
        "[2001:db8::1]:20000".parse().unwrap(),
        "[2001:db8::1]:20007".parse().unwrap(),
    ]);
    let sdp = ours.offer(Direction::SendRecv);
    assert!(
        sdp.contains("c=IN IP6 2001:db8::1\r\n") && sdp.contains("a=rtcp:20007\r\n"),
        "{sdp}"
    );
    assert!(
        !phone(Config::phone())
            .offer(Direction::SendRecv)
            .contains("a=rtcp:")
    );
}

#[test]
fn which_section_is_taken() {
    for (sections, expected) in [
        (
            "m=audio 0 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 0\r\n",
            "audio 0 RTP/AVP 0|audio 20000 RTP/AVP 0",
        ),
        (
            "m=audio 4000 RTP/AVP 18\r\nm=audio 4002 RTP/AVP 8\r\n",
            "audio 0 RTP/AVP 18|audio 20000 RTP/AVP 8",
        ),
        (
            "m=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 0\r\n",
            "audio 20000 RTP/AVP 0|audio 0 RTP/AVP 0",
        ),
        (
            "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\nm=audio 4002 RTP/AVP 0\r\n",
            "audio 0 RTP/SAVP 0|audio 20000 RTP/AVP 0",
        ),
        (
            "m=video 4000 RTP/AVP 31\r\nm=audio 4002 RTP/AVPF 0\r\n",
            "video 0 RTP/AVP 31|audio 20000 RTP/AVPF 0",
        ),
    ] {
        let answer = answer(&format!("{HEAD}{sections}")).unwrap();
        assert_eq!(lines(&answer.sdp, "m=").join("|"), expected);
        assert_eq!(
            peek(format!("{HEAD}{sections}").as_bytes(), &[], SrtpPolicy::Off)
                .unwrap()
                .peer,
            Peer::Phone
        );
    }
}

#[test]
fn what_is_refused_and_why() {
    for (sections, error) in [
        ("", SdpError::NoAudio),
        ("m=image 4000 udptl t38\r\n", SdpError::NoAudio),
        ("m=audio 0 RTP/AVP 0\r\n", SdpError::NoAudio),
        ("m=audio 4000 RTP/AVP 18 4\r\n", SdpError::NoCommonCodec),
        (
            "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/16000\r\n",
            SdpError::NoCommonCodec,
        ),
        (
            "m=audio 4000 RTP/SAVP 0\r\n",
            SdpError::Transport("RTP/SAVP".to_owned()),
        ),
        (
            "m=audio 4000 RTP/SAVPF 0\r\n",
            SdpError::Transport("RTP/SAVPF".to_owned()),
        ),
        (
            "m=audio 4000 TCP/MSRP *\r\n",
            SdpError::Transport("TCP/MSRP".to_owned()),
        ),
    ] {
        let offer = format!("{HEAD}{sections}");
        let got = answer(&offer).unwrap_err();
        assert_eq!(got, error, "{sections}");
        assert_eq!(got.code(), 488);
        assert_eq!(
            peek(offer.as_bytes(), &[], SrtpPolicy::Off).unwrap_err().code(),
            488
        );
    }
    let no_address = "v=0\r\nm=audio 4000 RTP/AVP 0\r\n";
    assert_eq!(answer(no_address).unwrap_err().code(), 400);
}

#[test]
fn numbers_of_an_answer_may_differ_from_those_we_offered() {
    let mut ours = phone(Config {
        codecs: vec![Codec::Opus, Codec::Pcmu],
        ..Config::phone()
    });
    assert_eq!(
        lines(&ours.offer(Direction::SendRecv), "m="),
        ["audio 20000 RTP/AVP 111 0 101 110"]
    );
    let media = ours
        .handle_answer(
            format!(
                "{HEAD}m=audio 4000 RTP/AVP 98 0 99\r\na=rtpmap:98 opus/48000/2\r\na=fmtp:98 maxaveragebitrate=20000\r\n\
                 a=rtpmap:99 telephone-event/48000\r\n"
            )
            .as_bytes(),
        )
        .unwrap();
    let media = audio(&media);
    assert_eq!(media.send, (98, Codec::Opus));
    assert_eq!(media.receive, [(111, Codec::Opus), (0, Codec::Pcmu)]);
    assert_eq!(
        media.telephone_event,
        Some(TelephoneEvent {
            send: 99,
            receive: 110,
            clock: 48_000
        })
    );
    assert_eq!(media.opus.max_average_bitrate, Some(20_000));
    assert_eq!(
        lines(&ours.offer(Direction::SendRecv), "m="),
        ["audio 20000 RTP/AVP 111 0 101 110"]
    );
}

#[test]
fn an_answer_that_is_none() {
    let mut ours = phone(Config::phone());
    ours.offer(Direction::SendRecv);
    for (bad, error) in [
        (HEAD.to_owned(), SdpError::NoAudio),
        (format!("{HEAD}m=audio 0 RTP/AVP 0\r\n"), SdpError::NoAudio),
        (format!("{HEAD}m=image 4000 udptl t38\r\n"), SdpError::NoAudio),
        (
            format!("{HEAD}m=audio 4000 RTP/AVP 18\r\n"),
            SdpError::NoCommonCodec,
        ),
        (
            format!("{HEAD}m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 97\r\n"),
            SdpError::Sections,
        ),
    ] {
        assert_eq!(ours.handle_answer(bad.as_bytes()), Err(error), "{bad}");
    }
    assert!(
        ours.handle_answer(format!("{HEAD}m=audio 4000 RTP/AVP 0\r\n").as_bytes())
            .is_ok(),
        "the offer is still out"
    );
}

#[test]
fn packet_times() {
    for (lines, codec, expected) in [
        ("", Codec::Pcmu, 20),
        ("a=ptime:30\r\n", Codec::Pcmu, 30),
        ("a=ptime:30\r\n", Codec::Opus, 20),
        ("a=ptime:60\r\n", Codec::Opus, 60),
        ("a=ptime:5\r\n", Codec::Pcmu, 10),
        ("a=ptime:25\r\n", Codec::Pcmu, 20),
        ("a=ptime:200\r\n", Codec::Pcmu, 60),
        ("a=ptime:0\r\n", Codec::Pcmu, 20),
        ("a=ptime:0.125\r\n", Codec::Pcmu, 20),
        ("a=ptime:nonsense\r\n", Codec::Pcmu, 20),
        ("a=maxptime:10\r\n", Codec::Opus, 10),
        ("a=ptime:40\r\na=maxptime:30\r\n", Codec::Pcmu, 30),
    ] {
        let mut ours = phone(Config {
            codecs: vec![codec],
            ..Config::phone()
        });
        let offer = format!("{HEAD}m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 opus/48000/2\r\n{lines}");
        let answer = ours
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
            .unwrap();
        assert_eq!(audio(&answer.negotiated).ptime_ms, expected, "{lines}{codec:?}");
    }
}

#[test]
fn a_carrier_moves_its_media() {
    let mut ours = phone(Config::phone());
    ours.offer(Direction::SendRecv);
    let early = ours
        .handle_answer(format!("{HEAD}m=audio 4000 RTP/AVP 0\r\n").as_bytes())
        .unwrap();
    let answered = ours
        .handle_answer(format!("{HEAD}m=audio 6000 RTP/AVP 8\r\n").as_bytes())
        .unwrap();
    assert_eq!(
        (audio(&early).send.1, audio(&answered).send.1),
        (Codec::Pcmu, Codec::Pcma)
    );
    assert_eq!(remote(&answered).0, at("192.0.2.9:6000"));
    let moved = ours
        .handle_offer(
            format!("{HEAD}m=audio 7000 RTP/AVP 8\r\nc=IN IP4 198.51.100.7\r\n").as_bytes(),
            Direction::SendRecv,
            &mut rng(),
        )
        .unwrap();
    assert_eq!(remote(&moved.negotiated).0, at("198.51.100.7:7000"));
}

#[test]
fn where_media_goes_over_ipv6() {
    let mut ours = Negotiator::new(
        Profile::Phone(SrtpPolicy::Off),
        Config::phone(),
        &mut Rng::seeded(1),
    );
    let local = ["[2001:db8::1]:20000", "[2001:db8::1]:20001"];
    ours.local(&local.map(|address| address.parse().unwrap()));
    for (section, rtp, rtcp) in [
        (
            "c=IN IP6 2001:db8::9\r\n",
            "[2001:db8::9]:4000",
            "[2001:db8::9]:4001",
        ),
        (
            "c=IN IP6 2001:db8::9\r\na=rtcp:4999 IN IP6 2001:db8::8\r\n",
            "[2001:db8::9]:4000",
            "[2001:db8::8]:4999",
        ),
    ] {
        let offer = format!("{HEAD}m=audio 4000 RTP/AVP 0\r\n{section}");
        let answer = ours
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut Rng::seeded(2))
            .unwrap();
        assert_eq!(
            remote(&answer.negotiated),
            (at(rtp), at(rtcp), false),
            "{section}"
        );
        assert!(answer.sdp.contains("c=IN IP6 2001:db8::1\r\n"), "{}", answer.sdp);
    }
}

#[test]
fn an_offer_in_a_family_of_addresses_that_is_not_ours_is_refused() {
    let offer = |connection: &str| {
        format!("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\n{connection}t=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")
    };
    let refusal = |families: &[Family], connection: &str| {
        let error = peek(offer(connection).as_bytes(), families, SrtpPolicy::Off).unwrap_err();
        (error.code(), error.warning())
    };
    assert_eq!(refusal(&[Family::V4], "c=IN IP6 2001:db8::5\r\n"), (488, 300));
    assert_eq!(refusal(&[Family::V4], "c=IN IP6 phone.example\r\n"), (488, 300));
    assert_eq!(refusal(&[Family::V6], "c=IN IP4 192.0.2.9\r\n"), (488, 300));
    assert_eq!(refusal(&[], "c=AF IP4 192.0.2.9\r\n"), (488, 300));
    assert_eq!(refusal(&[], "c=IN IP7 192.0.2.9\r\n"), (488, 301));
    for (families, connection, family) in [
        (
            &[Family::V4, Family::V6][..],
            "c=IN IP6 2001:db8::5\r\n",
            Some(Family::V6),
        ),
        (&[Family::V4], "c=IN IP4 192.0.2.9\r\n", Some(Family::V4)),
        (&[Family::V6], "c=IN IP4 0.0.0.0\r\n", None),
        (&[], "c=in ip6 2001:db8::5\r\n", Some(Family::V6)),
    ] {
        let seen = peek(offer(connection).as_bytes(), families, SrtpPolicy::Off).unwrap();
        assert_eq!(seen.family, family, "{connection}");
    }
    // The negotiator says the same once it knows its own address.
    let mut ours = Negotiator::new(
        Profile::Phone(SrtpPolicy::Off),
        Config::phone(),
        &mut Rng::seeded(1),
    );
    ours.local(&[
        "192.0.2.1:20000".parse().unwrap(),
        "192.0.2.1:20001".parse().unwrap(),
    ]);
    let error = ours
        .handle_offer(
            offer("c=IN IP6 2001:db8::5\r\n").as_bytes(),
            Direction::SendRecv,
            &mut Rng::seeded(2),
        )
        .unwrap_err();
    assert_eq!((error.code(), error.warning()), (488, 300));
    ours.offer(Direction::SendRecv);
    let error = ours
        .handle_answer(offer("c=IN IP6 2001:db8::5\r\n").as_bytes())
        .unwrap_err();
    assert_eq!((error.code(), error.warning()), (488, 300));
}

#[test]
fn of_alternatives_the_one_in_our_family_is_taken() {
    let offer = "v=0\r\no=- 1 1 IN IP6 2001:db8::5\r\ns=-\r\nt=0 0\r\na=group:ANAT 1 2\r\n\
        m=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::5\r\na=mid:1\r\n\
        m=audio 4002 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\na=mid:2\r\n";
    for (local, taken) in [("192.0.2.1", 1), ("[2001:db8::1]", 0)] {
        let mut ours = Negotiator::new(
            Profile::Phone(SrtpPolicy::Off),
            Config::phone(),
            &mut Rng::seeded(1),
        );
        let at = |port: u16| format!("{local}:{port}").parse().unwrap();
        ours.local(&[at(20_000), at(20_001)]);
        let answer = ours
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut Rng::seeded(2))
            .unwrap();
        let ports: Vec<&str> = answer
            .sdp
            .lines()
            .filter_map(|line| line.strip_prefix("m=audio ")?.split(' ').next())
            .collect();
        assert_eq!(
            ports.iter().position(|port| *port == "20000"),
            Some(taken),
            "{}",
            answer.sdp
        );
        assert_eq!(ports[1 - taken], "0");
    }
}
