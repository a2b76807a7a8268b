//! An RTP packet of any peer.

use media_core::rtp::{HEADER, Header, Packet, extension};

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "rtp",
    seeds,
    words: &[],
    run,
};

fn seeds() -> Vec<Vec<u8>> {
    let header = Header {
        marker: true,
        payload_type: 111,
        sequence: 65_535,
        timestamp: 7,
        ssrc: 9,
    };
    let mut plain = vec![0; HEADER];
    header.write(plain.first_chunk_mut().expect("12 octets"));
    plain.extend([0x78; 40]);
    // Two CSRCs, an extension of one word, four octets of padding.
    let mut full = vec![0xb2, 0x80, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    full.extend([0; 8]);
    full.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
    full.extend([9, 9, 9, 9, 0, 0, 0, 4]);
    let mut seeds = vec![plain, full, vec![0x80; HEADER]];
    let names = [
        "rtp",
        "rtp_dtmf",
        "rtp_only_padding",
        "rtp_with_csrc",
        "rtp_with_sdes_mid",
    ];
    if let Some(folder) = crate::corpora::folder("rtp-rtcp-aiortc", "seeds of others") {
        let read = |name: &&str| std::fs::read(folder.join(format!("{name}.bin"))).ok();
        seeds.extend(names.iter().filter_map(read));
    }
    seeds
}

/// Everything read lies within the datagram; written again without its extras, it reads the same; and the
/// output of codecs and digits for its payload is bounded.
pub fn run(data: &[u8]) {
    let Ok(packet) = Packet::parse(data) else { return };
    assert!(data.len() >= HEADER + packet.payload.len());
    for id in [0, 1, 4, 14, 15, 255] {
        let element = extension(data, id).map_or(0, <[u8]>::len);
        assert!(element + packet.payload.len() + HEADER <= data.len());
    }
    let mut again = vec![0; HEADER];
    packet.header.write(again.first_chunk_mut().expect("12 octets"));
    again.extend_from_slice(packet.payload);
    assert_eq!(Packet::parse(&again), Ok(packet));
    let ticks = media_core::codec::opus::duration(packet.payload);
    assert!(ticks.is_none_or(|ticks| (120..=5_760).contains(&ticks)));
    let _ = media_core::codec::opus::has_fec(packet.payload);
    let heard = media_core::dtmf::Receiver::default().packet(
        sans_io::Time::ZERO,
        &packet.header,
        8_000,
        packet.payload,
    );
    assert!(heard.len() <= 3);
}
