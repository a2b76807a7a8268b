use super::*;
use crate::corpus;

#[test]
fn reads_what_others_wrote() {
    let Some(plain) = corpus::read("rtp-rtcp-aiortc/rtp.bin") else {
        return;
    };
    let packet = Packet::parse(&plain).unwrap();
    assert_eq!(
        packet.header,
        Header {
            marker: false,
            payload_type: 0,
            sequence: 15_743,
            timestamp: 3_937_035_252,
            ssrc: 4_028_317_929
        }
    );
    assert_eq!(packet.payload.len(), 160);

    let dtmf = corpus::read("rtp-rtcp-aiortc/rtp_dtmf.bin").unwrap();
    let packet = Packet::parse(&dtmf).unwrap();
    assert!(packet.header.marker);
    assert_eq!((packet.header.payload_type, packet.payload.len()), (101, 4));

    let csrc = corpus::read("rtp-rtcp-aiortc/rtp_with_csrc.bin").unwrap();
    assert_eq!(Packet::parse(&csrc).unwrap().payload.len(), 160);

    let extended = corpus::read("rtp-rtcp-aiortc/rtp_with_sdes_mid.bin").unwrap();
    assert_eq!(Packet::parse(&extended).unwrap().payload.len(), 54);

    for name in ["rtp_only_padding", "rtp_only_padding_with_header_extensions"] {
        let padding = corpus::read(&format!("rtp-rtcp-aiortc/{name}.bin")).unwrap();
        assert_eq!(Packet::parse(&padding).unwrap().payload, b"", "{name}");
    }
}

#[test]
fn refuses_what_is_cut_short_at_every_length() {
    // Two CSRCs, an extension of one word, four octets of payload, four of padding.
    let mut data = vec![0xb2, 0x80, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    data.extend([0; 8]);
    data.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
    data.extend([9, 9, 9, 9]);
    data.extend([0, 0, 0, 4]);
    assert_eq!(Packet::parse(&data).unwrap().payload, [9, 9, 9, 9]);
    for len in 0..28 {
        assert!(Packet::parse(&data[..len]).is_err(), "{len}");
    }
    data[35] = 0;
    assert_eq!(Packet::parse(&data), Err(RtpError::Padding));
    data[35] = 200;
    assert_eq!(Packet::parse(&data), Err(RtpError::Truncated));
    data[0] = 0x72;
    assert_eq!(Packet::parse(&data), Err(RtpError::Version));
}

#[test]
fn a_header_comes_back_as_it_was_written() {
    let header = Header {
        marker: true,
        payload_type: 111,
        sequence: 65_535,
        timestamp: u32::MAX,
        ssrc: 0xdead_beef,
    };
    let mut data = [0; HEADER];
    header.write(&mut data);
    assert_eq!(Packet::parse(&data), Ok(Packet { header, payload: b"" }));
}

#[test]
fn counts_on_across_the_wrap_and_back() {
    let mut unwrap = Unwrap::default();
    assert_eq!(unwrap.sequence(65_534), 65_534);
    assert_eq!(unwrap.sequence(1), 65_537);
    assert_eq!(unwrap.sequence(65_535), 65_535);
    assert_eq!(distance(65_535, 1), 2);
    assert_eq!(distance(1, 65_535), -2);
    let mut unwrap = Unwrap::default();
    assert_eq!(unwrap.timestamp(u32::MAX), i64::from(u32::MAX));
    assert_eq!(unwrap.timestamp(159), i64::from(u32::MAX) + 160);
}
