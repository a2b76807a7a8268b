use rtc_crypto::RTCCryptoProvider as _;
use rtc_crypto::providers::RingProvider;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;
use sans_io::Rng;

use super::cm::AesCm;
use super::gcm::AesGcm;
use super::keys::{Ciphers, Pair};
use super::*;
use crate::corpus;

const PROFILES: [Profile; 5] = [
    Profile::Aes128CmSha1_80,
    Profile::Aes128CmSha1_32,
    Profile::Aes256CmSha1_80,
    Profile::AeadAes128Gcm,
    Profile::AeadAes256Gcm,
];

fn master(profile: Profile) -> MasterKey {
    let bytes: Vec<u8> = (0..64).map(|i| i * 3 + 1).collect();
    let (key, salt) = bytes.split_at(profile.key_len());
    MasterKey::new(profile, key, &salt[..profile.salt_len()]).expect("lengths of the profile")
}

fn pair(profile: Profile) -> (Sender, Receiver) {
    (Sender::new(&master(profile)), Receiver::new(&master(profile)))
}

/// Another implementation, as sender and as receiver.
fn other(profile: Profile) -> (Context, Context) {
    let bytes: Vec<u8> = (0..64).map(|i| i * 3 + 1).collect();
    let (key, salt) = bytes.split_at(profile.key_len());
    let theirs = match profile {
        Profile::Aes128CmSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Profile::Aes128CmSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Profile::Aes256CmSha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Profile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
    };
    let provider = RingProvider::new();
    let context = || {
        let windows = (srtp_replay_protection(64), srtcp_replay_protection(64));
        let salt = &salt[..profile.salt_len()];
        Context::new(
            key,
            salt,
            theirs,
            Some(windows.0),
            Some(windows.1),
            provider.crypto(),
        )
        .expect("a context")
    };
    (context(), context())
}

/// An RTP packet with what random bits choose: contributing sources, an extension, a payload.
fn rtp(rng: &mut Rng, ssrc: u32, sequence: u16) -> Vec<u8> {
    let sources = if rng.percent(20) { rng.below(16) as u8 } else { 0 };
    let words = rng.percent(50).then(|| rng.below(4) as u16);
    let mut packet = vec![0x80 | sources | if words.is_some() { 0x10 } else { 0 }, 111];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&(u32::from(sequence) * 960).to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.resize(packet.len() + 4 * usize::from(sources), 7);
    if let Some(words) = words {
        packet.extend_from_slice(&[0xbe, 0xde]);
        packet.extend_from_slice(&words.to_be_bytes());
        for element in 1..=2 * words as u8 {
            packet.extend_from_slice(&[element << 4, 1]); // one octet each (RFC 8285 §4.2)
        }
    }
    let payload = packet.len();
    let longest = if rng.percent(10) { 1_200 } else { 200 };
    packet.resize(payload + rng.below(longest) as usize, 0);
    rng.fill(&mut packet[payload..]);
    packet
}

fn rtcp(rng: &mut Rng, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.resize(8 + 4 * rng.below(30) as usize, 0);
    rng.fill(&mut packet[8..]);
    packet
}

fn protect_rtp(sender: &mut Sender, packet: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + RTP_OVERHEAD, 0);
    let length = sender.protect_rtp(&mut buffer, packet.len())?;
    buffer.truncate(length);
    Some(buffer)
}

fn protect_rtcp(sender: &mut Sender, packet: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + RTCP_OVERHEAD, 0);
    let length = sender.protect_rtcp(&mut buffer, packet.len())?;
    buffer.truncate(length);
    Some(buffer)
}

#[test]
fn both_ways_with_another_implementation() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let (mut their_sender, mut their_receiver) = other(profile);
        let mut rng = Rng::seeded(11);
        for n in 0..70_000_u32 {
            // Both count rollovers; 1 of 20 packets is lost, 1 of 20 comes one later.
            let sequence = (n as u16) ^ u16::from(n % 20 == 4 || n % 20 == 5);
            if n % 20 == 11 {
                continue;
            }
            let packet = rtp(&mut rng, 0xcafe_0000 + n % 3, sequence);
            let sealed = protect_rtp(&mut sender, &packet).expect("a packet");
            let opened = their_receiver.decrypt_rtp(&sealed);
            assert_eq!(&opened.expect("authentic")[..], &packet[..], "{profile:?} {n}");
            let mut sealed = their_sender.encrypt_rtp(&packet).expect("a packet").to_vec();
            let opened = receiver.open_rtp(&mut sealed);
            assert_eq!(
                opened.map(|(packet, _)| &*packet),
                Ok(&packet[..]),
                "{profile:?} {n}"
            );
            if n % 50 == 0 {
                let packet = rtcp(&mut rng, n % 3);
                let sealed = protect_rtcp(&mut sender, &packet).expect("a packet");
                assert_eq!(
                    &their_receiver.decrypt_rtcp(&sealed).expect("authentic")[..],
                    &packet[..]
                );
                let mut sealed = their_sender.encrypt_rtcp(&packet).expect("a packet").to_vec();
                assert_eq!(
                    receiver.open_rtcp(&mut sealed).map(|packet| &*packet),
                    Ok(&packet[..])
                );
            }
        }
    }
}

#[test]
fn each_packet_once_through_four_rollovers_of_a_bad_network() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut rng = Rng::seeded(5);
        let mut waiting: Vec<(u64, u64, Vec<u8>)> = Vec::new();
        let (mut lost, mut opened, mut newest) = (0, vec![0_u8; 200_000], None);
        for n in 0..200_000_u64 {
            let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
            packet[2..4].copy_from_slice(&((n + 30_000) as u16).to_be_bytes());
            packet.extend_from_slice(&n.to_be_bytes());
            let sealed = protect_rtp(&mut sender, &packet).expect("a packet");
            if rng.percent(10) {
                lost += 1;
            } else {
                waiting.push((n + rng.below(60), n, sealed.clone()));
            }
            if rng.percent(5) {
                waiting.push((n + rng.below(60), n, sealed));
            }
            waiting.retain_mut(|(due, sent, sealed)| {
                if *due > n {
                    return true;
                }
                if let Ok((packet, is_newest)) = receiver.open_rtp(sealed) {
                    let number = u64::from_be_bytes(packet[12..].try_into().expect("eight octets"));
                    assert_eq!(number, *sent);
                    assert_eq!(is_newest, Some(number) > newest);
                    newest = newest.max(Some(number));
                    opened[number as usize] += 1;
                }
                false
            });
        }
        assert!(opened.iter().all(|&times| times <= 1), "{profile:?}");
        let never = opened.iter().filter(|&&times| times == 0).count();
        assert!(never <= lost + waiting.len(), "{profile:?}: {never} of {lost}");
    }
}

#[test]
fn forged_packets_change_nothing_and_grow_nothing() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut rng = Rng::seeded(77);
        for sequence in 0..100 {
            let packet = rtp(&mut rng, 1, sequence);
            assert!(
                receiver
                    .open_rtp(&mut protect_rtp(&mut sender, &packet).expect("a packet"))
                    .is_ok()
            );
            let packet = rtcp(&mut rng, 1);
            assert!(
                receiver
                    .open_rtcp(&mut protect_rtcp(&mut sender, &packet).expect("a packet"))
                    .is_ok()
            );
        }
        let seen_rtp = protect_rtp(&mut sender, &rtp(&mut rng, 1, 100)).expect("a packet");
        let seen_rtcp = protect_rtcp(&mut sender, &rtcp(&mut rng, 1)).expect("a packet");
        let before = format!("{receiver:?}");
        for _ in 0..100_000 {
            let mut forged = forge(&mut rng, &seen_rtp);
            assert!(forged == seen_rtp || receiver.open_rtp(&mut forged).is_err());
            let mut forged = forge(&mut rng, &seen_rtcp);
            assert!(forged == seen_rtcp || receiver.open_rtcp(&mut forged).is_err());
        }
        assert_eq!(format!("{receiver:?}"), before, "{profile:?}");
        let mut again = seen_rtp.clone();
        assert!(
            receiver.open_rtp(&mut seen_rtp.clone()).is_ok()
                && receiver.open_rtcp(&mut seen_rtcp.clone()).is_ok()
        );
        assert_eq!(receiver.open_rtp(&mut again), Err(Refused::Replayed));
        assert_eq!(receiver.open_rtcp(&mut seen_rtcp.clone()), Err(Refused::Replayed));
    }
}

/// A packet like a true one: bits flipped, another source or number, cut, lengthened, or noise.
fn forge(rng: &mut Rng, packet: &[u8]) -> Vec<u8> {
    let mut forged = packet.to_vec();
    match rng.below(6) {
        0 => {
            let bit = rng.below(forged.len() as u64 * 8) as usize;
            forged[bit / 8] ^= 1 << (bit % 8);
        }
        1 => rng.fill(&mut forged[8..12]),
        2 => rng.fill(&mut forged[2..8]),
        3 => forged.truncate(rng.below(forged.len() as u64) as usize),
        4 => forged.push(rng.u32() as u8),
        _ => {
            let from = rng.below(12) as usize;
            rng.fill(&mut forged[from..]);
        }
    }
    forged
}

#[test]
fn plain_srtcp_is_refused_even_with_a_right_tag() {
    let (_, mut receiver) = pair(Profile::Aes128CmSha1_80);
    let Ciphers::Cm(ciphers) = master(Profile::Aes128CmSha1_80).ciphers() else {
        panic!("AES-CM")
    };
    let mut packet = rtcp(&mut Rng::seeded(1), 1);
    let mut tag = [0; 10];
    ciphers.rtcp.write_tag(&packet, 5, &mut tag);
    packet.extend_from_slice(&5_u32.to_be_bytes());
    packet.extend_from_slice(&tag);
    assert_eq!(receiver.open_rtcp(&mut packet), Err(Refused::Malformed));
}

#[test]
fn sources_are_few_and_never_forgotten() {
    let (_, mut receiver) = pair(Profile::Aes128CmSha1_80);
    let mut rng = Rng::seeded(9);
    for ssrc in 0..40 {
        let (mut sender, _) = pair(Profile::Aes128CmSha1_80);
        let mut rtp = protect_rtp(&mut sender, &rtp(&mut rng, ssrc, 1)).expect("a packet");
        let mut rtcp = protect_rtcp(&mut sender, &rtcp(&mut rng, ssrc)).expect("a packet");
        let opened = (
            receiver.open_rtp(&mut rtp).is_ok(),
            receiver.open_rtcp(&mut rtcp).is_ok(),
        );
        let believed = (ssrc as usize) < Receiver::MAX_STREAMS;
        assert_eq!(opened, (believed, believed), "source {ssrc}");
    }
    let (mut sender, _) = pair(Profile::Aes128CmSha1_80);
    let mut rng = Rng::seeded(9);
    let mut first = protect_rtp(&mut sender, &rtp(&mut rng, 0, 1)).expect("a packet");
    assert_eq!(receiver.open_rtp(&mut first), Err(Refused::Replayed));
}

#[test]
fn a_sender_uses_no_index_twice_and_nothing_without_room() {
    for profile in PROFILES {
        let (mut sender, _) = pair(profile);
        let packet = rtp(&mut Rng::seeded(2), 1, 7);
        let mut tight = packet.clone();
        assert_eq!(sender.protect_rtp(&mut tight, packet.len()), None);
        assert_eq!(tight, packet);
        assert!(protect_rtp(&mut sender, &packet).is_some());
        assert_eq!(protect_rtp(&mut sender, &packet), None);
        let control = rtcp(&mut Rng::seeded(2), 1);
        let mut tight = control.clone();
        assert_eq!(sender.protect_rtcp(&mut tight, control.len()), None);
        assert_eq!(tight, control);
        assert_eq!(sender.protect_rtp(&mut [0x80; 8], 200), None);
        assert_eq!(sender.protect_rtcp(&mut [0x80; 8], 4), None);
    }
}

#[test]
fn vectors_of_rfc_3711() {
    let Some(file) = corpus::read("srtp-rfc3711/vectors.tsv") else {
        return;
    };
    let file = String::from_utf8(file).expect("text");
    let salt = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd").try_into().expect("14 octets");
    let key = hex("2b7e151628aed2a6abf7158809cf4f3c")
        .try_into()
        .expect("16 octets");
    let mut stream = vec![0; 65_282 * 16];
    AesCm::aes128(&key, &[0; 20], salt, 10).apply(0, 0, &mut stream);
    let master_key = hex("e1f97a0d3e018be0d64fa32c06de4139");
    let master_salt = hex("0ec675ad498afeebb6960b3aabe6");
    let master = MasterKey::new(Profile::Aes128CmSha1_80, &master_key, &master_salt).expect("a key");
    let mut read = 0;
    for line in file.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let (name, expected) = line.split_once('\t').expect("two fields");
        let found = match name {
            "srtp cipher key" => master.derive::<16>(0).to_vec(),
            "srtp cipher salt" => master.derive::<14>(2).to_vec(),
            "srtp auth key (94 bytes)" => master.derive::<94>(1).to_vec(),
            _ => {
                let block: usize = name
                    .rsplit(' ')
                    .next()
                    .and_then(|n| n.parse().ok())
                    .expect("a block");
                stream[block * 16..][..16].to_vec()
            }
        };
        assert_eq!(found, hex(expected), "{name}");
        read += 1;
    }
    assert_eq!(read, 9);
}

#[test]
fn vectors_of_rfc_6188() {
    // §7.1
    let key = hex("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98");
    let salt = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd").try_into().expect("14 octets");
    let key = key.try_into().expect("32 octets");
    let mut stream = vec![0; 3 * 16];
    AesCm::aes256(&key, &[0; 20], salt).apply(0, 0, &mut stream);
    let expected =
        "92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac63c4868b7096d88421b563b8c94c9a31";
    assert_eq!(stream, hex(expected));
    // §7.2
    let key = hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
    let salt = hex("3b04803de51ee7c96423ab5b78d2");
    let master = MasterKey::new(Profile::Aes256CmSha1_80, &key, &salt).expect("a key");
    let cipher_key = "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4";
    assert_eq!(master.derive::<32>(0).to_vec(), hex(cipher_key));
    assert_eq!(
        master.derive::<14>(2).to_vec(),
        hex("fa31791685ca444a9e07c6c64e93")
    );
    assert_eq!(
        master.derive::<20>(1).to_vec(),
        hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05")
    );
}

#[test]
fn a_short_tag_is_short_on_rtp_alone() {
    let mut rng = Rng::seeded(21);
    let (mut sender, _) = pair(Profile::Aes128CmSha1_32);
    let (packet, control) = (rtp(&mut rng, 1, 1), rtcp(&mut rng, 1));
    let sealed = protect_rtp(&mut sender, &packet).expect("a packet");
    assert_eq!(sealed.len(), packet.len() + 4);
    let sealed = protect_rtcp(&mut sender, &control).expect("a packet");
    assert_eq!(sealed.len(), control.len() + 4 + 10);
}

#[test]
fn vectors_of_rfc_7714() {
    let (Some(rtp), Some(rtcp)) = (
        corpus::read("srtp-rfc7714/rtp-vectors.txt"),
        corpus::read("srtp-rfc7714/rtcp-vectors.txt"),
    ) else {
        return;
    };
    let text = [rtp, rtcp].map(|file| String::from_utf8(file).expect("text"));
    let section = |file: &str, number: &str| {
        let start = file
            .find(&format!("\n{number} "))
            .map_or_else(|| panic!("{number}"), |start| start + 1);
        let end = file[start..]
            .find("\n17.")
            .or_else(|| file[start..].find("\n16."))
            .unwrap_or(file.len() - start);
        file[start..start + end].to_string()
    };
    let salt: [u8; 12] = *b"Quid pro quo";
    let key: [u8; 32] = std::array::from_fn(|i| i as u8);
    let key128: [u8; 16] = std::array::from_fn(|i| i as u8);
    let aes128 = || AesGcm::aes128(&key128, salt);
    let aes256 = || AesGcm::aes256(&key, salt);
    let ciphers = |make: &dyn Fn() -> AesGcm| {
        Ciphers::Gcm(Box::new(Pair {
            rtp: make(),
            rtcp: make(),
        }))
    };

    for (seal, open, make) in [
        ("16.1.1.", "16.1.2.", &aes128 as &dyn Fn() -> AesGcm),
        ("16.2.1.", "16.2.2.", &aes256),
    ] {
        let (seal, open) = (section(&text[0], seal), section(&text[0], open));
        let plain = block(&seal, "Encrypting the following packet");
        let sealed = block(&seal, "Encrypted and tagged packet");
        assert_eq!((plain.len(), sealed.len()), (50, 66));
        let protected = protect_rtp(&mut Sender::with_ciphers(ciphers(make)), &plain);
        assert_eq!(protected.as_ref(), Some(&sealed));
        let mut received = block(&open, "Decrypting the following packet");
        assert_eq!(received, sealed);
        let mut receiver = Receiver::with_ciphers(ciphers(make));
        assert_eq!(
            receiver.open_rtp(&mut received).map(|(packet, _)| &*packet),
            Ok(&plain[..])
        );
    }

    let seal = section(&text[1], "17.1.");
    let plain = block(&seal, "Encrypting the following packet");
    let sealed = block(&seal, "Encrypted and tagged packet");
    let mut receiver = Receiver::with_ciphers(ciphers(&aes128));
    assert_eq!(
        receiver.open_rtcp(&mut sealed.clone()).map(|packet| &*packet),
        Ok(&plain[..])
    );
    let mut sender = Sender::with_ciphers(ciphers(&aes128));
    for _ in 0..0x5d4 {
        assert!(protect_rtcp(&mut sender, &plain).is_some());
    }
    assert_eq!(protect_rtcp(&mut sender, &plain), Some(sealed));

    let open = section(&text[1], "17.2.");
    let mut received = block(&open, "Decrypting the following packet");
    let mut receiver = Receiver::with_ciphers(ciphers(&aes256));
    assert_eq!(
        receiver.open_rtcp(&mut received).map(|packet| &*packet),
        Ok(&plain[..])
    );
}

/// The octets in the lines after the one with `label`.
fn block(text: &str, label: &str) -> Vec<u8> {
    let lines = text
        .lines()
        .skip_while(|line| !line.contains(label))
        .skip(1)
        .map(str::trim);
    let lines = lines
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.is_empty());
    hex(&lines.collect::<String>().replace(' ', ""))
}

fn hex(text: &str) -> Vec<u8> {
    let digits = (0..text.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}
