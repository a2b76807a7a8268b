//! SDES against another implementation of SRTP.

use rtc_crypto::RTCCryptoProvider as _;
use rtc_crypto::providers::RingProvider;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use sans_io::Time;

use crate::control::{MediaSource, SocketId};
use crate::rtp::{HEADER, Header};
use crate::srtp::{Keys, MasterKey, Profile, RTCP_OVERHEAD, RTP_OVERHEAD, Sender};
use crate::transport::{Arrival, Received, Rtp, Sdes};

const SUITES: [(Profile, ProtectionProfile); 5] = [
    (Profile::Aes128CmSha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
    (Profile::Aes128CmSha1_32, ProtectionProfile::Aes128CmHmacSha1_32),
    (Profile::Aes256CmSha1_80, ProtectionProfile::Aes256CmHmacSha1_80),
    (Profile::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (Profile::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
];
const RTP: SocketId = SocketId(4);
const RTCP: SocketId = SocketId(5);
const SAID: &str = "192.0.2.1:4000";

/// Octets of a key and its salt.
fn material(profile: Profile, first: u8) -> (Vec<u8>, Vec<u8>) {
    let octets = |first: u8, count: usize| (0..count as u8).map(|i| first.wrapping_add(3 * i)).collect();
    (
        octets(first, profile.key_len()),
        octets(first + 1, profile.salt_len()),
    )
}

fn master(profile: Profile, first: u8) -> MasterKey {
    let (key, salt) = material(profile, first);
    MasterKey::new(profile, &key, &salt).expect("lengths of the profile")
}

fn keys(profile: Profile) -> Keys {
    Keys {
        local: master(profile, 10),
        remote: master(profile, 90),
    }
}

/// The peer's sender and receiver.
fn peer((profile, theirs): (Profile, ProtectionProfile)) -> [Context; 2] {
    [90, 10].map(|first| {
        let (key, salt) = material(profile, first);
        let provider = RingProvider::new();
        Context::new(&key, &salt, theirs, None, None, provider.crypto()).expect("a context")
    })
}

fn sdes(profile: Profile) -> Sdes {
    let mut path = Rtp::new(MediaSource::Learn);
    path.bind(RTP, RTCP);
    let mut sdes = Sdes::new(path, &keys(profile));
    let (rtp, rtcp) = (SAID.parse().unwrap(), "192.0.2.1:4001".parse().unwrap());
    sdes.path.connect(Time(1), Some(rtp), Some(rtcp), false);
    sdes
}

fn from(text: &str, rtcp: bool) -> Arrival {
    Arrival {
        socket: if rtcp { RTCP } else { RTP },
        rtcp,
        from: text.parse().unwrap(),
    }
}

fn packet(sequence: u16) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type: 0,
        sequence,
        timestamp: u32::from(sequence) * 160,
        ssrc: 77,
    };
    let mut packet = vec![0; HEADER];
    header.write(packet.first_chunk_mut().unwrap());
    packet.extend_from_slice(&[sequence as u8; 160]);
    packet
}

fn report(ssrc: u32) -> Vec<u8> {
    let mut report = vec![0x80, 201, 0, 1];
    report.extend_from_slice(&ssrc.to_be_bytes());
    report
}

#[test]
fn speaks_every_suite_with_another_implementation() {
    for suite in SUITES {
        let mut sdes = sdes(suite.0);
        let [mut sender, mut receiver] = peer(suite);
        for sequence in (65_500..=u16::MAX).chain(0..100) {
            let plain = packet(sequence);
            let mut sealed = sender.encrypt_rtp(&plain).expect("a packet").to_vec();
            let opened = sdes.receive(Time(2), from(SAID, false), &mut sealed);
            assert_eq!(opened, Received::Rtp(&mut plain.clone()), "{suite:?} {sequence}");
            let mut buffer = plain.clone();
            buffer.resize(plain.len() + RTP_OVERHEAD, 0);
            let length = sdes.protect_rtp(&mut buffer, plain.len()).expect("a packet");
            let opened = receiver.decrypt_rtp(&buffer[..length]).expect("authentic");
            assert_eq!(&opened[..], &plain[..], "{suite:?} {sequence}");
        }
        let plain = report(77);
        let mut sealed = sender.encrypt_rtcp(&plain).expect("a packet").to_vec();
        let opened = sdes.receive(Time(2), from("192.0.2.1:4001", true), &mut sealed);
        assert_eq!(opened, Received::Rtcp(&mut plain.clone()), "{suite:?}");
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + RTCP_OVERHEAD, 0);
        let length = sdes.protect_rtcp(&mut buffer, plain.len()).expect("a packet");
        let opened = receiver.decrypt_rtcp(&buffer[..length]).expect("authentic");
        assert_eq!(&opened[..], &plain[..], "{suite:?}");
    }
}

#[test]
fn only_a_packet_that_proves_itself_moves_the_leg() {
    let suite = SUITES[0];
    let mut sdes = sdes(suite.0);
    let [mut sender, _] = peer(suite);
    let to = |sdes: &Sdes| sdes.path.remote().map(|(_, to)| to.to_string());
    assert_eq!(to(&sdes).as_deref(), Some(SAID));
    // A stranger who sends what is no SRTP, or none of this leg's, or what the peer sent before.
    let mut plain = packet(1);
    assert_eq!(
        sdes.receive(Time(2), from("198.51.100.9:9", false), &mut plain),
        Received::Refused
    );
    let first = sender.encrypt_rtp(&packet(1)).expect("a packet").to_vec();
    let natted = from("203.0.113.5:61000", false);
    assert!(matches!(
        sdes.receive(Time(3), natted, &mut first.clone()),
        Received::Rtp(_)
    ));
    assert_eq!(to(&sdes).as_deref(), Some("203.0.113.5:61000"));
    assert_eq!(
        sdes.receive(Time(4), from("198.51.100.9:9", false), &mut first.clone()),
        Received::Refused
    );
    let mut damaged = sender.encrypt_rtp(&packet(2)).expect("a packet").to_vec();
    damaged[20] ^= 1;
    let forged = sdes.receive(Time(5), from("198.51.100.9:9", false), &mut damaged);
    assert_eq!(forged, Received::Refused);
    assert_eq!(to(&sdes).as_deref(), Some("203.0.113.5:61000"));
    // A late packet from where the peer was does not move it back.
    let late = sender.encrypt_rtp(&packet(3)).expect("a packet").to_vec();
    let newer = sender.encrypt_rtp(&packet(4)).expect("a packet").to_vec();
    let moved = from("203.0.113.77:5000", false);
    assert!(matches!(
        sdes.receive(Time(6), moved, &mut newer.clone()),
        Received::Rtp(_)
    ));
    assert!(matches!(
        sdes.receive(Time(7), natted, &mut late.clone()),
        Received::Rtp(_)
    ));
    assert_eq!(to(&sdes).as_deref(), Some("203.0.113.77:5000"));
    let mut sealed = sender.encrypt_rtcp(&report(77)).expect("a packet").to_vec();
    let reported = sdes.receive(Time(8), from("203.0.113.77:5001", true), &mut sealed);
    assert!(matches!(reported, Received::Rtcp(_)));
    let rtcp = sdes.path.remote_rtcp().map(|(_, to)| to.to_string());
    assert_eq!(rtcp.as_deref(), Some("203.0.113.77:5001"));
}

#[test]
fn a_new_agreement_changes_only_the_direction_whose_key_is_new() {
    let suite = SUITES[0];
    let mut sdes = sdes(suite.0);
    let [mut sender, mut receiver] = peer(suite);
    let seal = |sdes: &mut Sdes, sequence| {
        let mut buffer = packet(sequence);
        let length = buffer.len();
        buffer.resize(length + RTP_OVERHEAD, 0);
        let sealed = sdes.protect_rtp(&mut buffer, length)?;
        buffer.truncate(sealed);
        Some(buffer)
    };
    for sequence in [65_534, 65_535, 0] {
        let sealed = seal(&mut sdes, sequence).expect("a packet");
        assert!(receiver.decrypt_rtp(&sealed).is_ok());
        let mut sealed = sender.encrypt_rtp(&packet(sequence)).expect("a packet").to_vec();
        assert!(matches!(
            sdes.receive(Time(2), from(SAID, false), &mut sealed),
            Received::Rtp(_)
        ));
    }
    // The same keys again: the rollover counters stay, and so does what was seen.
    sdes.set_keys(&keys(suite.0));
    let sealed = seal(&mut sdes, 1).expect("a packet");
    assert!(receiver.decrypt_rtp(&sealed).is_ok());
    assert_eq!(seal(&mut sdes, 1), None);
    // The peer takes another key for what it sends.
    sdes.set_keys(&Keys {
        local: master(suite.0, 10),
        remote: master(suite.0, 10),
    });
    let sealed = seal(&mut sdes, 2).expect("a packet");
    assert!(receiver.decrypt_rtp(&sealed).is_ok());
    let mut old = sender.encrypt_rtp(&packet(1)).expect("a packet").to_vec();
    assert_eq!(
        sdes.receive(Time(3), from(SAID, false), &mut old),
        Received::Refused
    );
    // It begins to count anew.
    let mut new = packet(3);
    let length = new.len();
    new.resize(length + RTP_OVERHEAD, 0);
    let length = Sender::new(&master(suite.0, 10)).protect_rtp(&mut new, length);
    new.truncate(length.expect("a packet"));
    assert!(matches!(
        sdes.receive(Time(4), from(SAID, false), &mut new),
        Received::Rtp(_)
    ));
}
