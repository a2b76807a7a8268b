//! Datagrams from strangers to a browser's leg: an input is a row of them, each behind its length in one octet pair.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use media_core::Clock;
use media_core::control::SocketId;
use media_core::dtls::Identity;
use media_core::ice::local_ufrag;
use media_core::negotiated::{DtlsRole, Fingerprint, Hash, IceCredentials};
use media_core::transport::{DtlsSrtp, Received};
use sans_io::Time;

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "browser_leg",
    seeds,
    words: &[],
    run,
};

pub(super) const UFRAG: &str = "AAAAAAAAAAAAAabcdef";
pub(super) const PASSWORD: &str = "the password of the fuzzed leg";

/// A nominating check with these credentials, and one of a peer that asks to be controlled.
pub(super) const CHECK: &str = "000100542112a44207070707070707070707070700060018414141414141414141414141416162636465663a706565720024\
    00046e7f1eff00250000802a00080101010101010101000800145a8de3753a604a42acfa8f7affc69e4c1e4eda57802800043bfa0217";
const CONTROLLED: &str = "000100542112a44207070707070707070707070700060018414141414141414141414141416162636465663a7065657200\
    2400046e7f1eff0025000080290008010101010101010100080014d093ae5e903a9490df128aa6f2c36fc3239f4d4580280004948ba650";
const CLIENT_HELLO: &str = "16fefd0000000000000000008a0100007e000000000000007efefd6b03dc34195e6f6253723cbc841bde8c5432a7786a52\
    949203cec1c95183dc080000000ac02bc00ac02fc014cca90100004a000d000e000c040305030401050106010807ff01000100000a0008000600\
    17001d0018000b00020100000e000700040007000100001700000000000e000c0000096c6f63616c686f7374";

static IDENTITY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::seeded(1).expect("randomness for a certificate")));

fn seeds() -> Vec<Vec<u8>> {
    let (check, controlled, hello) = (octets(CHECK), octets(CONTROLLED), octets(CLIENT_HELLO));
    let (first, second) = halves(&hello);
    let alert = b"\x15\xfe\xfd\0\0\0\0\0\0\0\x05\0\x02\x02\x28".to_vec();
    let rtp = [
        &[
            0x90, 111, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4, 0xbe, 0xde, 0, 1, 0x10, 5, 0, 0,
        ][..],
        &[9; 60],
    ]
    .concat();
    let rtcp = [&[0x80, 201, 0, 1, 1, 2, 3, 4, 0x80, 0, 0, 1][..], &[9; 10]].concat();
    [
        vec![check.clone()],
        vec![controlled],
        vec![check.clone(), hello.clone()],
        vec![check.clone(), hello.clone(), hello],
        vec![check.clone(), second, first],
        vec![check.clone(), alert.clone(), rtp.clone(), rtcp.clone()],
        vec![rtp, rtcp, alert, check],
    ]
    .iter()
    .map(|datagrams| datagrams.iter().flat_map(|datagram| row(datagram)).collect())
    .collect()
}

fn row(datagram: &[u8]) -> Vec<u8> {
    [&(datagram.len() as u16).to_be_bytes()[..], datagram].concat()
}

/// A datagram with one handshake message as two.
fn halves(datagram: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (head, body) = datagram.split_at(25);
    let half = |from: usize, to: usize| {
        let mut half = [head, &body[from..to]].concat();
        half[11..13].copy_from_slice(&(12 + (to - from) as u16).to_be_bytes());
        half[19..22].copy_from_slice(&(from as u32).to_be_bytes()[1..]);
        half[22..25].copy_from_slice(&((to - from) as u32).to_be_bytes()[1..]);
        half
    };
    (half(0, 60), half(60, body.len()))
}

pub(super) fn octets(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// Nobody who does not know the password is bound or answered, nobody without the right certificate is connected, and what
/// a leg says to a datagram has bounds.
pub fn run(input: &[u8]) {
    let start = Time::from_secs(1_000_000);
    let ice = IceCredentials {
        ufrag: UFRAG.to_string(),
        pwd: PASSWORD.to_string(),
    };
    let mut leg = DtlsSrtp::new(start, &ice, &IDENTITY, Clock::new(start, Instant::now()));
    let role = if input.len().is_multiple_of(2) {
        DtlsRole::Passive
    } else {
        DtlsRole::Active
    };
    leg.connect(
        start,
        &ice,
        &Fingerprint {
            hash: Hash::Sha256,
            value: vec![7; 32],
        },
        role,
    );
    let mut now = start;
    let mut rest = input;
    let mut port = 1_000_u16;
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (datagram, behind) = behind.split_at(length);
        rest = behind;
        port = port.wrapping_add(1 + u16::from(datagram.len() % 3 == 0));
        let from = SocketAddr::from(([192, 0, 2, 1], port / 4 + 1));
        let known = leg.paths().any(|path| path == (SocketId(0), from));
        match leg.handle_datagram(now, SocketId(0), from, &mut datagram.to_vec()) {
            Received::Nothing | Received::Refused => {}
            Received::Bound { .. } => assert!(!known && local_ufrag(datagram) == Some(UFRAG)),
            Received::Rtp(_) | Received::Observed(_) | Received::Rtcp(_) | Received::Fax(_) => {
                panic!("media without keys")
            }
        }
        let mut said = 0;
        while let Some(transmit) = leg.poll_transmit() {
            said += transmit.data.len();
        }
        assert!(said < 8_000, "{said} octets after one datagram");
        assert!(leg.paths().count() <= 8 && !leg.is_connected());
        while leg.poll_event().is_some() {}
        if let Some((at, reason)) = leg.poll_timeout() {
            assert!(!reason.is_empty());
            if datagram.len() % 7 == 0 {
                now = now.max(at);
                leg.handle_timeout(now);
                assert!(
                    leg.poll_timeout().is_none_or(|(next, _)| next > now),
                    "{reason} is due for ever"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_reach_the_inside() {
        let ice = IceCredentials {
            ufrag: UFRAG.to_string(),
            pwd: PASSWORD.to_string(),
        };
        let mut leg = DtlsSrtp::new(Time(1), &ice, &IDENTITY, Clock::new(Time(1), Instant::now()));
        let from = SocketAddr::from(([192, 0, 2, 1], 1));
        let mut check = octets(CHECK);
        let bound = leg.handle_datagram(Time(1), SocketId(0), from, &mut check);
        assert_eq!(bound, Received::Bound { forgotten: None });
        let (first, second) = halves(&octets(CLIENT_HELLO));
        for mut piece in [first, second] {
            leg.handle_datagram(Time(1), SocketId(0), from, &mut piece);
        }
        let answers = std::iter::from_fn(|| leg.poll_transmit().map(|transmit| transmit.data[0]));
        assert_eq!(
            answers.collect::<Vec<u8>>(),
            [1, 22],
            "a STUN response and a flight of the handshake"
        );
    }
}
