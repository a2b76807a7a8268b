//! Keys in SDP (RFC 4568): who encrypts with whom, and what becomes of those who do not.

use media_core::negotiated::{Direction, Negotiated, Transport};
use media_core::sdp::{Config, Negotiator, Profile, SdpError, SrtpPolicy};
use media_core::srtp::Keys;
use sans_io::Rng;

use super::{lines, rng};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n";
const ONE: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";
const OTHER: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR\r\n";
const SHORT: &str =
    "a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20\r\n";
const MKI: &str =
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4\r\n";
const CLEAR: &str =
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj UNENCRYPTED_SRTP\r\n";
const POLICIES: [SrtpPolicy; 3] = [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Required];

fn phone(policy: SrtpPolicy, seed: u64) -> Negotiator {
    let profile = Profile::Phone(policy);
    let mut out = Negotiator::new(profile, Config::phone(), &mut Rng::seeded(seed));
    out.local(&["192.0.2.1:20000", "192.0.2.1:20001"].map(|at| at.parse().unwrap()));
    out
}

fn offer(proto: &str, attributes: &str) -> String {
    format!("{HEAD}m=audio 4000 {proto} 0\r\n{attributes}")
}

fn answer(ours: &mut Negotiator, offer: &str) -> Result<(String, Negotiated), SdpError> {
    let answer = ours.handle_offer(offer.as_bytes(), Direction::SendRecv, &mut rng())?;
    Ok((answer.sdp, answer.negotiated))
}

fn keys(media: &Negotiated) -> Option<Keys> {
    match &media.transport {
        Transport::Sdes { keys, .. } => Some(**keys),
        _ => None,
    }
}

#[test]
fn an_offer_of_savp_is_answered_with_a_key_under_its_tag_whatever_the_policy_is() {
    for policy in POLICIES {
        for proto in ["RTP/SAVP", "RTP/SAVPF"] {
            // The first that we can use of what the peer prefers; the others are as if they were not there.
            let offer = offer(proto, &format!("{MKI}{CLEAR}{SHORT}{ONE}"));
            let (sdp, media) = answer(&mut phone(policy, 1), &offer).unwrap();
            let crypto = lines(&sdp, "a=crypto:");
            assert_eq!(crypto.len(), 1, "{sdp}");
            assert!(
                crypto[0].starts_with("4 AES_CM_128_HMAC_SHA1_32 inline:"),
                "{sdp}"
            );
            assert!(sdp.contains(&format!("m=audio 20000 {proto} 0\r\n")), "{sdp}");
            let keys = keys(&media).expect("encrypted");
            assert_ne!(keys.local, keys.remote);
        }
    }
}

#[test]
fn an_offer_that_leaves_no_key_is_refused_and_never_answered_in_the_clear() {
    for policy in POLICIES {
        for attributes in [MKI, CLEAR] {
            let mut ours = phone(policy, 1);
            let refused = answer(&mut ours, &offer("RTP/SAVP", attributes)).unwrap_err();
            assert_eq!((refused.clone(), refused.code()), (SdpError::Crypto, 488));
            assert_eq!(ours.last_answer(), None);
        }
        let refused = answer(&mut phone(policy, 1), &offer("RTP/SAVP", "")).unwrap_err();
        assert_eq!(refused.code(), 488, "{refused:?}");
    }
    for attributes in ["", MKI] {
        let refused = answer(&mut phone(SrtpPolicy::Required, 1), &offer("RTP/AVP", attributes)).unwrap_err();
        assert_eq!((refused.clone(), refused.code()), (SdpError::Unencrypted, 488));
    }
}

/// A phone that does not know its peer may offer a section of each kind.
#[test]
fn of_two_sections_the_first_that_the_policy_admits_is_answered() {
    for (first, second, policy, expected) in [
        ("RTP/AVP", "RTP/SAVP", SrtpPolicy::Off, Some((0, false))),
        ("RTP/AVP", "RTP/SAVP", SrtpPolicy::Optional, Some((1, true))),
        ("RTP/SAVP", "RTP/AVP", SrtpPolicy::Optional, Some((0, true))),
        ("RTP/AVP", "RTP/AVP", SrtpPolicy::Optional, Some((0, false))),
        ("RTP/AVP", "RTP/SAVP", SrtpPolicy::Required, Some((1, true))),
        ("RTP/SAVP", "RTP/AVP", SrtpPolicy::Off, Some((0, true))),
    ] {
        let section = |proto: &str| {
            let key = if proto == "RTP/SAVP" { ONE } else { "" };
            format!("m=audio 4000 {proto} 0\r\n{key}")
        };
        let offer = format!("{HEAD}{}{}", section(first), section(second));
        let (sdp, media) = answer(&mut phone(policy, 1), &offer).unwrap();
        let taken = lines(&sdp, "m=audio ")
            .iter()
            .position(|line| line.starts_with("20000 "));
        let taken = taken.map(|at| (at, keys(&media).is_some()));
        assert_eq!(taken, expected, "{policy:?}: {sdp}");
    }
    // Keys that we cannot use leave the other one.
    let offer = format!("{HEAD}m=audio 4000 RTP/SAVP 0\r\n{MKI}m=audio 4002 RTP/AVP 0\r\n");
    let (sdp, media) = answer(&mut phone(SrtpPolicy::Off, 1), &offer).unwrap();
    assert_eq!(lines(&sdp, "m=audio "), ["0 RTP/SAVP 0", "20000 RTP/AVP 0"]);
    assert_eq!(keys(&media), None);
}

#[test]
fn keys_beside_avp_are_taken_where_they_are_wanted() {
    for (policy, encrypted) in [
        (SrtpPolicy::Off, false),
        (SrtpPolicy::Optional, true),
        (SrtpPolicy::Required, true),
    ] {
        let (sdp, media) = answer(&mut phone(policy, 1), &offer("RTP/AVP", ONE)).unwrap();
        assert!(sdp.contains("m=audio 20000 RTP/AVP 0\r\n"), "{sdp}");
        assert_eq!(lines(&sdp, "a=crypto:").len(), usize::from(encrypted), "{sdp}");
        assert_eq!(keys(&media).is_some(), encrypted, "{policy:?}");
    }
    let (_, media) = answer(&mut phone(SrtpPolicy::Optional, 1), &offer("RTP/AVP", CLEAR)).unwrap();
    assert_eq!(keys(&media), None);
}

#[test]
fn two_of_us_agree_as_their_policies_say() {
    for (offers, answers, encrypted) in [
        (SrtpPolicy::Off, SrtpPolicy::Off, Some(false)),
        (SrtpPolicy::Off, SrtpPolicy::Optional, Some(false)),
        (SrtpPolicy::Off, SrtpPolicy::Required, None),
        (SrtpPolicy::Optional, SrtpPolicy::Off, Some(false)),
        (SrtpPolicy::Optional, SrtpPolicy::Optional, Some(true)),
        (SrtpPolicy::Optional, SrtpPolicy::Required, Some(true)),
        (SrtpPolicy::Required, SrtpPolicy::Off, Some(true)),
        (SrtpPolicy::Required, SrtpPolicy::Optional, Some(true)),
        (SrtpPolicy::Required, SrtpPolicy::Required, Some(true)),
    ] {
        let (mut one, mut other) = (phone(offers, 1), phone(answers, 2));
        let sdp = one.offer(Direction::SendRecv);
        let secure = offers == SrtpPolicy::Required;
        assert_eq!(sdp.contains("RTP/SAVP"), secure, "{sdp}");
        assert_eq!(
            lines(&sdp, "a=crypto:").is_empty(),
            offers == SrtpPolicy::Off,
            "{sdp}"
        );
        let Ok((answer, there)) = answer(&mut other, &sdp) else {
            assert_eq!(encrypted, None, "{offers:?} {answers:?}");
            continue;
        };
        let here = one.handle_answer(answer.as_bytes()).unwrap();
        let (here, there) = (keys(&here), keys(&there));
        assert_eq!(Some(here.is_some()), encrypted, "{offers:?} {answers:?}");
        assert_eq!(
            here.map(|keys| (keys.local, keys.remote)),
            there.map(|keys| (keys.remote, keys.local))
        );
        // A re-offer keeps the keys, whoever makes it.
        let again = one.offer(Direction::SendOnly);
        let re = other
            .handle_offer(again.as_bytes(), Direction::SendRecv, &mut rng())
            .unwrap();
        assert_eq!(keys(&re.negotiated), there, "{offers:?} {answers:?}");
        let back = other.offer(Direction::SendRecv);
        let re = one
            .handle_offer(back.as_bytes(), Direction::SendRecv, &mut rng())
            .unwrap();
        assert_eq!(keys(&re.negotiated), here, "{offers:?} {answers:?}");
        other.handle_answer(re.sdp.as_bytes()).unwrap();
    }
}

#[test]
fn an_answer_that_does_not_fit_the_offer_is_refused() {
    for (policy, answer, error) in [
        // No key where one is required; in the clear; another tag; another suite of the right tag; one that asks for more.
        (SrtpPolicy::Required, offer("RTP/SAVP", ""), None),
        (
            SrtpPolicy::Required,
            offer("RTP/AVP", ""),
            Some(SdpError::Unencrypted),
        ),
        (
            SrtpPolicy::Required,
            offer("RTP/SAVP", SHORT),
            Some(SdpError::Crypto),
        ),
        (
            SrtpPolicy::Required,
            offer("RTP/SAVP", ONE),
            Some(SdpError::Crypto),
        ),
        (
            SrtpPolicy::Optional,
            offer("RTP/AVP", CLEAR),
            Some(SdpError::Crypto),
        ),
        (
            SrtpPolicy::Optional,
            offer("RTP/AVP", ONE),
            Some(SdpError::Crypto),
        ),
        (
            SrtpPolicy::Off,
            offer("RTP/SAVP", ONE),
            Some(SdpError::Transport("RTP/SAVP".into())),
        ),
    ] {
        let mut ours = phone(policy, 1);
        ours.offer(Direction::SendRecv);
        let refused = ours.handle_answer(answer.as_bytes()).unwrap_err();
        assert_eq!(refused.code(), 488);
        assert!(
            error.is_none_or(|error| error == refused),
            "{policy:?}: {refused:?}\n{answer}"
        );
    }
    // Keys beside AVP were agreed on, and our next offer is answered in the clear.
    let mut ours = phone(SrtpPolicy::Required, 1);
    answer(&mut ours, &offer("RTP/AVP", ONE)).unwrap();
    assert_eq!(lines(&ours.offer(Direction::SendRecv), "a=crypto:").len(), 1);
    let refused = ours.handle_answer(offer("RTP/AVP", "").as_bytes());
    assert_eq!(refused, Err(SdpError::Unencrypted));
    // Nobody offered this key.
    let mut ours = phone(SrtpPolicy::Off, 1);
    ours.offer(Direction::SendRecv);
    let media = ours.handle_answer(offer("RTP/AVP", ONE).as_bytes()).unwrap();
    assert_eq!(keys(&media), None);
    // Some phones answer keys beside AVP with SAVP.
    let mut ours = phone(SrtpPolicy::Optional, 1);
    ours.offer(Direction::SendRecv);
    let answer = offer("RTP/SAVP", &ONE.replace("crypto:1", "crypto:3"));
    assert!(keys(&ours.handle_answer(answer.as_bytes()).unwrap()).is_some());
}

#[test]
fn new_keys_of_the_peer_bring_new_keys_of_ours() {
    let mut ours = phone(SrtpPolicy::Off, 1);
    let mut random = Rng::seeded(3);
    let mut exchange = |attributes: &str| {
        let offer = offer("RTP/SAVP", attributes);
        let answer = ours
            .handle_offer(offer.as_bytes(), Direction::SendRecv, &mut random)
            .unwrap();
        keys(&answer.negotiated).expect("encrypted")
    };
    let first = exchange(ONE);
    assert_eq!(exchange(ONE), first, "a hold changes no key");
    assert_eq!(
        exchange(&ONE.replace("crypto:1", "crypto:2")),
        first,
        "nor does another tag"
    );
    let second = exchange(OTHER);
    assert!(second.local != first.local && second.remote != first.remote);
    let third = exchange(SHORT);
    assert!(third.local != second.local && third.remote != second.remote);
    // An offer that is refused changes nothing (RFC 3264 §8).
    let refused = ours.handle_offer(
        offer("RTP/SAVP", MKI).as_bytes(),
        Direction::SendRecv,
        &mut random,
    );
    assert_eq!(refused, Err(SdpError::Crypto));
    let again = offer("RTP/SAVP", SHORT);
    let again = ours
        .handle_offer(again.as_bytes(), Direction::SendRecv, &mut random)
        .unwrap();
    assert_eq!(keys(&again.negotiated), Some(third));
}

#[test]
fn after_a_restart_our_key_is_new() {
    let remote = offer("RTP/SAVP", ONE);
    let mut before = phone(SrtpPolicy::Off, 1);
    let (local, media) = answer(&mut before, &remote).unwrap();
    let mut after = phone(SrtpPolicy::Off, 9);
    after
        .resume(local.as_bytes(), remote.as_bytes(), &mut Rng::seeded(11))
        .unwrap();
    let offer = after.offer(Direction::SendRecv);
    let crypto = lines(&offer, "a=crypto:");
    assert_eq!(crypto.len(), 1, "{offer}");
    assert!(!local.contains(crypto[0]), "an index of a key serves once");
    let answer = super::srtp::offer("RTP/SAVP", OTHER);
    let resumed = after.handle_answer(answer.as_bytes()).unwrap();
    assert_ne!(
        keys(&resumed).map(|keys| keys.local),
        keys(&media).map(|keys| keys.local)
    );
}
