use media_core::negotiated::{Codec, Direction, DtlsRole, Hash, IceCredentials, TelephoneEvent, Transport};
use media_core::sdp::{Config, Peer, SdpError, SrtpPolicy, peek};

use super::{audio, browser, lines, rng};

const CHROMIUM: &str = include_str!("offers/chromium.sdp");
const CHROMIUM_HOLD: &str = include_str!("offers/chromium-hold.sdp");
const CHROMIUM_VIDEO_DATA: &str = include_str!("offers/chromium-video-data.sdp");
const CHROMIUM_VIDEO_FIRST: &str = include_str!("offers/chromium-video-first.sdp");
const FIREFOX: &str = include_str!("offers/firefox.sdp");
const FIREFOX_VIDEO_DATA: &str = include_str!("offers/firefox-video-data.sdp");
const FIREFOX_VIDEO_DATA_HOLD: &str = include_str!("offers/firefox-video-data-hold.sdp");
const SAFARI: &str = include_str!("offers/safari.sdp");
const CHROMIUM_ANSWER: &str = include_str!("offers/chromium-answer.sdp");
const FIREFOX_ANSWER: &str = include_str!("offers/firefox-answer.sdp");

fn role(transport: &Transport) -> DtlsRole {
    match transport {
        Transport::Dtls { role, .. } => *role,
        Transport::Rtp { .. } | Transport::Sdes { .. } | Transport::Udptl { .. } => panic!("not a browser's"),
    }
}

fn ice(transport: &Transport) -> (&IceCredentials, &IceCredentials) {
    match transport {
        Transport::Dtls {
            local_ice,
            remote_ice,
            ..
        } => (local_ice, remote_ice),
        Transport::Rtp { .. } | Transport::Sdes { .. } | Transport::Udptl { .. } => panic!("not a browser's"),
    }
}

#[test]
fn the_answer_to_chromium() {
    let answer = browser(Config::browser())
        .handle_offer(CHROMIUM.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    insta::assert_snapshot!(answer.sdp.replace("\r\n", "\n"));
    insta::assert_debug_snapshot!(answer.negotiated);
}

#[test]
fn the_answer_to_firefox_with_video_and_data() {
    let answer = browser(Config::browser())
        .handle_offer(FIREFOX_VIDEO_DATA.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    insta::assert_snapshot!(answer.sdp.replace("\r\n", "\n"));
    insta::assert_debug_snapshot!(answer.negotiated);
}

#[test]
fn our_offer() {
    let mut ours = browser(Config {
        narrowband: true,
        ..Config::browser()
    });
    insta::assert_snapshot!(ours.offer(Direction::SendRecv).replace("\r\n", "\n"));
}

#[test]
fn every_browser_gets_audio_and_nothing_else() {
    for (offer, opus, event, mid) in [
        (CHROMIUM, 111, (110, 48_000), "0"),
        (CHROMIUM_VIDEO_DATA, 111, (110, 48_000), "0"),
        (CHROMIUM_VIDEO_FIRST, 111, (110, 48_000), "1"),
        (FIREFOX, 109, (101, 8_000), "0"),
        (FIREFOX_VIDEO_DATA, 109, (101, 8_000), "0"),
        (SAFARI, 111, (110, 48_000), "0"),
    ] {
        let seen = peek(offer.as_bytes(), &[], SrtpPolicy::Off).unwrap();
        assert_eq!(
            (seen.peer, seen.direction, seen.codecs),
            (
                Peer::Browser,
                Direction::SendRecv,
                vec![Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma]
            )
        );
        let answer = browser(Config::browser())
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
            .unwrap();
        assert_eq!(audio(&answer.negotiated).send, (opus, Codec::Opus));
        assert_eq!(audio(&answer.negotiated).receive, [(opus, Codec::Opus)]);
        let (pt, clock) = event;
        assert_eq!(
            audio(&answer.negotiated).telephone_event,
            Some(TelephoneEvent {
                send: pt,
                receive: pt,
                clock
            })
        );
        assert_eq!(role(&answer.negotiated.transport), DtlsRole::Passive);
        assert_eq!(lines(&answer.sdp, "a=group:"), [format!("BUNDLE {mid}")]);
        assert_eq!(
            lines(&answer.sdp, "a=mid:"),
            lines(offer, "a=mid:"),
            "order of mids"
        );
        let kinds = |sdp| -> Vec<String> {
            lines(sdp, "m=")
                .iter()
                .map(|m| m.split(' ').next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(kinds(&answer.sdp), kinds(offer));
        for m in lines(&answer.sdp, "m=") {
            let port = m.split(' ').nth(1).unwrap();
            assert_eq!(port, if m.starts_with("audio") { "10000" } else { "0" }, "{m}");
        }
        assert!(
            !answer.sdp.contains("a=ssrc") && !answer.sdp.contains(".local"),
            "{}",
            answer.sdp
        );
    }
}

#[test]
fn hold_and_resume_change_the_direction_alone() {
    let mut ours = browser(Config::browser());
    let mut random = rng();
    let mut answers = Vec::new();
    for (offer, direction) in [
        (CHROMIUM, Direction::SendRecv),
        (CHROMIUM_HOLD, Direction::RecvOnly),
        (CHROMIUM_HOLD, Direction::RecvOnly),
        (CHROMIUM, Direction::SendRecv),
    ] {
        let answer = ours
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut random)
            .unwrap();
        assert_eq!(audio(&answer.negotiated).direction, direction);
        answers.push(answer);
    }
    let origin = |sdp: &str| {
        lines(sdp, "o=")[0]
            .split(' ')
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let versions: Vec<_> = answers.iter().map(|a| origin(&a.sdp)[2].clone()).collect();
    assert_eq!(
        versions,
        ["1", "2", "2", "3"],
        "a version for each change, none without"
    );
    for answer in &answers {
        assert_eq!(origin(&answer.sdp)[1], origin(&answers[0].sdp)[1]);
        assert_eq!(answer.negotiated.transport, answers[0].negotiated.transport);
        assert_eq!(audio(&answer.negotiated).send, audio(&answers[0].negotiated).send);
        assert!(answer.sdp.contains("a=setup:passive\r\n"));
    }
    assert!(answers[1].sdp.contains("a=recvonly\r\n") && !answers[1].sdp.contains("a=msid"));
}

#[test]
fn a_re_offer_with_what_was_rejected_before_keeps_its_order() {
    let mut ours = browser(Config::browser());
    let first = ours
        .handle_offer(FIREFOX_VIDEO_DATA.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    let hold = ours
        .handle_offer(
            FIREFOX_VIDEO_DATA_HOLD.as_bytes(),
            Direction::SendRecv,
            &mut rng(),
        )
        .unwrap();
    assert_eq!(audio(&hold.negotiated).direction, Direction::RecvOnly);
    assert_eq!(lines(&hold.sdp, "m="), lines(&first.sdp, "m="));
    let again = ours.offer(Direction::SendRecv);
    assert_eq!(lines(&again, "a=mid:"), ["0", "1", "2"]);
    assert_eq!(lines(&again, "a=group:"), ["BUNDLE 0"]);
    assert_eq!(
        lines(&again, "m="),
        [
            "audio 10000 UDP/TLS/RTP/SAVPF 109 0 8 110 101",
            "video 0 UDP/TLS/RTP/SAVPF 120",
            "application 0 UDP/DTLS/SCTP webrtc-datachannel"
        ]
    );
}

#[test]
fn an_ice_restart_gets_new_credentials_and_keeps_the_association() {
    let mut ours = browser(Config::browser());
    let mut random = rng();
    let first = ours
        .handle_offer(CHROMIUM.as_bytes(), Direction::SendRecv, &mut random)
        .unwrap();
    let restart = CHROMIUM
        .replace("UXjM", "nEw1")
        .replace("a8CIZyWbh9bMvaNPWthHkRLL", "NEWIZyWbh9bMvaNPWthHkRLL");
    let second = ours
        .handle_offer(restart.as_bytes(), Direction::SendRecv, &mut random)
        .unwrap();
    let (local, remote) = ice(&second.negotiated.transport);
    assert_eq!((local.ufrag.as_str(), remote.ufrag.as_str()), ("ours1", "nEw1"));
    assert_ne!(local.pwd, ice(&first.negotiated.transport).0.pwd);
    assert!(second.sdp.contains("a=ice-ufrag:ours1\r\n"));
    assert_eq!(role(&second.negotiated.transport), DtlsRole::Passive);
    let third = ours
        .handle_offer(restart.as_bytes(), Direction::SendRecv, &mut random)
        .unwrap();
    assert_eq!(third.sdp, second.sdp, "the same offer again restarts nothing");
    assert!(ours.offer(Direction::SendRecv).contains("a=ice-ufrag:ours1\r\n"));
}

#[test]
fn the_dtls_role_in_every_order() {
    for (offered, answered, ours) in [
        ("actpass", "passive", DtlsRole::Passive),
        ("active", "passive", DtlsRole::Passive),
        ("passive", "active", DtlsRole::Active),
    ] {
        let offer = CHROMIUM.replace("setup:actpass", &format!("setup:{offered}"));
        let answer = browser(Config::browser())
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
            .unwrap();
        assert_eq!(lines(&answer.sdp, "a=setup:"), [answered]);
        assert_eq!(role(&answer.negotiated.transport), ours);
    }
    let missing = CHROMIUM.replace("a=setup:actpass\r\n", "");
    let answer = browser(Config::browser())
        .handle_offer(missing.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    assert_eq!(lines(&answer.sdp, "a=setup:"), ["passive"]);
    for bad in ["holdconn", "whatever"] {
        let offer = CHROMIUM.replace("setup:actpass", &format!("setup:{bad}"));
        let error = browser(Config::browser())
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
            .unwrap_err();
        assert_eq!((&error, error.code()), (&SdpError::Setup(bad.to_owned()), 488));
    }

    for (answered, ours) in [
        ("a=setup:active\r\n", Some(DtlsRole::Passive)),
        ("a=setup:passive\r\n", Some(DtlsRole::Active)),
        ("", Some(DtlsRole::Passive)),
        ("a=setup:actpass\r\n", None),
        ("a=setup:holdconn\r\n", None),
    ] {
        let mut offerer = browser(Config::browser());
        assert_eq!(
            lines(&offerer.offer(Direction::SendRecv), "a=setup:"),
            ["actpass"]
        );
        let answer = CHROMIUM_ANSWER.replace("a=setup:active\r\n", answered);
        let got = offerer
            .handle_answer(answer.as_bytes())
            .ok()
            .map(|media| role(&media.transport));
        assert_eq!(got, ours, "{answered}");
    }
}

#[test]
fn the_role_stays_when_either_side_offers_again() {
    // the browser was passive in its answer to us, so we are active, whatever comes
    let mut ours = browser(Config::browser());
    ours.offer(Direction::SendRecv);
    let answer = CHROMIUM_ANSWER.replace("setup:active", "setup:passive");
    assert_eq!(
        role(&ours.handle_answer(answer.as_bytes()).unwrap().transport),
        DtlsRole::Active
    );
    let re_offer = answer.replace("setup:passive", "setup:actpass");
    let again = ours
        .handle_offer(re_offer.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    assert_eq!(role(&again.negotiated.transport), DtlsRole::Active);
    assert_eq!(lines(&again.sdp, "a=setup:"), ["active"]);
    ours.offer(Direction::SendOnly);
    let bare = answer.replace("a=setup:passive\r\n", "");
    assert_eq!(
        role(&ours.handle_answer(bare.as_bytes()).unwrap().transport),
        DtlsRole::Active
    );

    // another certificate is another association, and its role is open again
    let other = re_offer.replace("a=fingerprint:sha-256 E7", "a=fingerprint:sha-256 E8");
    let again = ours
        .handle_offer(other.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    assert_eq!(role(&again.negotiated.transport), DtlsRole::Passive);
}

#[test]
fn answers_of_browsers_to_our_offer() {
    for (answer, event) in [(CHROMIUM_ANSWER, (110, 48_000)), (FIREFOX_ANSWER, (101, 8_000))] {
        let mut ours = browser(Config::browser());
        ours.offer(Direction::SendRecv);
        let media = ours.handle_answer(answer.as_bytes()).unwrap();
        let stream = audio(&media);
        assert_eq!(stream.send, (111, Codec::Opus));
        assert_eq!(
            stream.receive,
            [(111, Codec::Opus), (0, Codec::Pcmu), (8, Codec::Pcma)]
        );
        let (pt, clock) = event;
        assert_eq!(
            stream.telephone_event,
            Some(TelephoneEvent {
                send: pt,
                receive: pt,
                clock
            })
        );
        assert_eq!(
            ours.handle_answer(answer.as_bytes()),
            Ok(media),
            "the 200 after the 183"
        );
    }
}

#[test]
fn a_fingerprint_is_found_and_chosen() {
    let line = lines(CHROMIUM, "a=fingerprint:")[0];
    let own = format!("a=fingerprint:{line}\r\n");
    let sha512 = format!("a=fingerprint:SHA-512 {}\r\n", ["ab"; 64].join(":"));
    let get = |offer: &str| {
        let answer =
            browser(Config::browser()).handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng());
        answer.map(|answer| match answer.negotiated.transport {
            Transport::Dtls { fingerprint, .. } => fingerprint,
            Transport::Rtp { .. } | Transport::Sdes { .. } | Transport::Udptl { .. } => {
                panic!("not a browser's")
            }
        })
    };
    let plain = get(CHROMIUM).unwrap();
    assert_eq!(
        (plain.hash, plain.value.len(), plain.value[0]),
        (Hash::Sha256, 32, 0xdf)
    );
    let at_session = CHROMIUM
        .replace(&own, "")
        .replace("a=extmap-allow-mixed\r\n", &own);
    assert_eq!(get(&at_session).unwrap(), plain);
    let several = CHROMIUM.replace(&own, &format!("a=fingerprint:sha-1 00:11\r\n{sha512}{own}"));
    assert_eq!(get(&several).unwrap(), plain);
    assert_eq!(get(&CHROMIUM.replace(&own, &sha512)).unwrap().hash, Hash::Sha512);
    for bad in [
        "",
        "a=fingerprint:sha-1 00:11\r\n",
        "a=fingerprint:sha-256 00:11\r\n",
        "a=fingerprint:sha-256\r\n",
    ] {
        assert_eq!(
            get(&CHROMIUM.replace(&own, bad)).unwrap_err(),
            SdpError::Fingerprint,
            "{bad}"
        );
    }
}

/// WebRTC stacks beside the browsers bundle without a word of RTCP.
#[test]
fn an_offer_without_rtcp_mux_is_taken_and_not_promised_it() {
    let mut ours = browser(Config::browser());
    let offer = CHROMIUM.replace("a=rtcp-mux\r\n", "");
    let answer = ours
        .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    assert!(!answer.sdp.contains("a=rtcp-mux"), "{}", answer.sdp);
    assert!(matches!(answer.negotiated.transport, Transport::Dtls { .. }));
    let offer = CHROMIUM;
    let answer = browser(Config::browser())
        .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    assert!(answer.sdp.contains("a=rtcp-mux"), "{}", answer.sdp);
    // A peer that was not asked for it is offered it all the same.
    assert!(ours.offer(Direction::SendRecv).contains("a=rtcp-mux\r\n"));
}

#[test]
fn what_a_browser_leg_cannot_do_without() {
    let refused = |offer: String| {
        browser(Config::browser())
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
            .unwrap_err()
    };
    for bad in [
        CHROMIUM.replace("a=ice-ufrag:UXjM\r\n", ""),
        CHROMIUM.replace("a=ice-pwd", "a=x"),
        CHROMIUM.replace("UXjM", "abc"),
        CHROMIUM.replace("UXjM", "a b c"),
        CHROMIUM.replace("a=extmap-allow-mixed", "a=ice-lite"),
    ] {
        assert!(matches!(refused(bad), SdpError::Ice(_)));
    }
    assert_eq!(refused(CHROMIUM.replace("m=audio", "m=video")), SdpError::NoAudio);
    assert_eq!(
        refused(CHROMIUM.replace("111 63 9 0 8 13 110 126", "63 9 13 126")),
        SdpError::NoCommonCodec
    );
    assert_eq!(
        refused("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n".to_owned()),
        SdpError::Transport("RTP/AVP".to_owned())
    );
}

#[test]
fn a_refused_offer_changes_nothing() {
    let mut ours = browser(Config::browser());
    let mut random = rng();
    let before = ours
        .handle_offer(CHROMIUM.as_bytes(), Direction::SendRecv, &mut random)
        .unwrap();
    let bad = CHROMIUM
        .replace("111 63 9 0 8 13 110 126", "63")
        .replace("UXjM", "nEw1");
    assert!(
        ours.handle_offer(bad.as_bytes(), Direction::SendRecv, &mut random)
            .is_err()
    );
    assert!(
        ours.handle_offer(b"v=0\r\n", Direction::SendRecv, &mut random)
            .is_err()
    );
    assert_eq!(ours.last_answer(), Some(before.sdp.as_str()));
    assert_eq!(
        ours.handle_offer(CHROMIUM.as_bytes(), Direction::SendRecv, &mut random),
        Ok(before)
    );
}

#[test]
fn a_missing_mid_and_group_are_not_invented() {
    let offer = CHROMIUM
        .replace("a=mid:0\r\n", "")
        .replace("a=group:BUNDLE 0\r\n", "");
    let answer = browser(Config::browser())
        .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    assert!(
        !answer.sdp.contains("a=mid") && !answer.sdp.contains("a=group"),
        "{}",
        answer.sdp
    );
}

#[test]
fn audio_that_shares_the_transport_of_its_bundle() {
    // RFC 8843 §7.1.3: the tagged section speaks for the one without attributes of its own
    let mut audio = String::new();
    let mut video = String::new();
    for line in CHROMIUM_VIDEO_FIRST.split_inclusive("\r\n") {
        if line.starts_with("m=audio") || !audio.is_empty() {
            let transport = ["a=ice", "a=fing", "a=setup", "a=candidate", "a=rtcp-mux"];
            if !transport.iter().any(|start| line.starts_with(start)) {
                audio.push_str(line);
            }
        } else {
            video.push_str(line);
        }
    }
    let audio = audio.replace("a=mid:1\r\n", "a=mid:1\r\na=bundle-only\r\n");
    let port = audio.split(' ').nth(1).unwrap().to_owned();
    let offer = format!("{video}{}", audio.replacen(&port, "0", 1));
    let answer = browser(Config::browser())
        .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    assert_eq!(lines(&answer.sdp, "a=group:"), ["BUNDLE 1"]);
    assert_eq!(
        ice(&answer.negotiated.transport).1.ufrag,
        lines(CHROMIUM_VIDEO_FIRST, "a=ice-ufrag:")[0]
    );
}

#[test]
fn the_configured_codec_wins_and_digits_follow_its_clock() {
    let config = Config {
        codecs: vec![Codec::Pcma, Codec::Opus],
        ..Config::browser()
    };
    let answer = browser(config)
        .handle_offer(CHROMIUM.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    assert_eq!(audio(&answer.negotiated).send, (8, Codec::Pcma));
    assert_eq!(
        audio(&answer.negotiated).telephone_event,
        Some(TelephoneEvent {
            send: 126,
            receive: 126,
            clock: 8_000
        })
    );
    let config = Config {
        telephone_event: false,
        ..Config::browser()
    };
    let answer = browser(config)
        .handle_offer(CHROMIUM.as_bytes(), Direction::SendRecv, &mut rng())
        .unwrap();
    assert_eq!(audio(&answer.negotiated).telephone_event, None);
    assert_eq!(lines(&answer.sdp, "m="), ["audio 10000 UDP/TLS/RTP/SAVPF 111"]);
}
