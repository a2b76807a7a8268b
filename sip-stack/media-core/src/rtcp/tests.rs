use super::*;
use crate::corpus;

fn first(name: &str) -> Result<Vec<u8>, RtcpError> {
    let data = corpus::read(&format!("rtp-rtcp-aiortc/{name}.bin")).unwrap();
    let (packet, rest) = one(&data)?;
    assert!(rest.is_empty(), "{name}");
    Ok(format!("{packet:?}").into_bytes())
}

#[test]
fn reads_what_others_wrote() {
    let Some(data) = corpus::read("rtp-rtcp-aiortc/rtcp_sr.bin") else {
        return;
    };
    let (
        Rtcp::SenderReport {
            ssrc,
            info,
            mut blocks,
        },
        _,
    ) = one(&data).unwrap()
    else {
        panic!("not an SR")
    };
    assert_eq!(ssrc, 1_831_097_322);
    assert_eq!(
        info,
        SenderInfo {
            ntp: 16_016_567_581_311_369_308,
            rtp: 1_722_342_718,
            packets: 269,
            octets: 13_557
        }
    );
    let block = blocks.next().unwrap();
    assert_eq!(
        (block.ssrc, block.fraction_lost, block.cumulative_lost),
        (2_398_654_957, 0, 0)
    );
    assert_eq!((block.highest_sequence, block.jitter), (246, 127));
    assert_eq!(blocks.next(), None);

    let data = corpus::read("rtp-rtcp-aiortc/rtcp_rr.bin").unwrap();
    let (Rtcp::ReceiverReport { ssrc, mut blocks }, _) = one(&data).unwrap() else {
        panic!("not an RR")
    };
    assert_eq!(ssrc, 817_267_719);
    let block = blocks.next().unwrap();
    assert_eq!(
        (block.ssrc, block.highest_sequence, block.jitter),
        (1_200_895_919, 630, 1_906)
    );

    for name in [
        "rtcp_bye",
        "rtcp_bye_no_sources",
        "rtcp_bye_padding",
        "rtcp_psfb_pli",
        "rtcp_rtpfb",
        "rtcp_sdes",
    ] {
        first(name).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    for name in [
        "rtcp_bye_invalid",
        "rtcp_rr_invalid",
        "rtcp_sr_invalid",
        "rtcp_sdes_item_truncated",
        "rtcp_sdes_source_truncated",
    ] {
        assert!(first(name).is_err(), "{name}");
    }
}

#[test]
fn a_report_comes_back_as_it_was_written() {
    let block = ReportBlock {
        ssrc: 7,
        fraction_lost: 12,
        cumulative_lost: -3,
        highest_sequence: 0x0001_0002,
        jitter: 40,
        last_sr: 0x1234_5678,
        delay_since_last_sr: 65_536,
    };
    let info = SenderInfo {
        ntp: 0x1122_3344_5566_7788,
        rtp: 9,
        packets: 10,
        octets: 11,
    };
    for cname in ["", "a", "ab", "abc", "abcd"] {
        let mut data = Vec::new();
        write_report(
            &mut data,
            &Outgoing {
                ssrc: 5,
                sender: Some(info),
                block: Some(block),
                cname,
            },
        );
        write_bye(&mut data, 5);
        let packets: Vec<_> = Compound::parse(&data).collect::<Result<_, _>>().unwrap();
        let [
            Rtcp::SenderReport {
                ssrc: 5,
                info: read,
                blocks,
            },
            Rtcp::SourceDescription(chunk),
            Rtcp::Bye(gone),
        ] = packets[..]
        else {
            panic!("{packets:?}")
        };
        assert_eq!(read, info);
        assert_eq!(blocks.collect::<Vec<_>>(), [block]);
        assert_eq!(&chunk[6..6 + cname.len()], cname.as_bytes());
        assert_eq!(gone, [0, 0, 0, 5]);
        for len in 1..data.len() {
            // Cut anywhere but between two packets, the last piece is refused.
            let whole = Compound::parse(&data[..len]).all(|packet| packet.is_ok());
            assert_eq!(whole, len == 52 || len == data.len() - 8, "{len}");
        }
    }
    let mut data = Vec::new();
    write_report(
        &mut data,
        &Outgoing {
            ssrc: 5,
            sender: None,
            block: None,
            cname: "x",
        },
    );
    assert!(matches!(
        one(&data),
        Ok((Rtcp::ReceiverReport { ssrc: 5, .. }, _))
    ));
}

#[test]
fn a_compound_begins_with_a_report() {
    let mut data = Vec::new();
    write_bye(&mut data, 5);
    assert_eq!(Compound::parse(&data).next(), Some(Err(RtcpError::First)));
    assert_eq!(Compound::parse(&[0x80]).next(), Some(Err(RtcpError::Truncated)));
    assert_eq!(
        Compound::parse(&[0x40, 201, 0, 0]).next(),
        Some(Err(RtcpError::Version))
    );
    // Padding belongs into the last packet only.
    let mut data = vec![0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4];
    assert!(Compound::parse(&data).next().unwrap().is_ok());
    data.extend([0x80, 203, 0, 0]);
    assert_eq!(Compound::parse(&data).next(), Some(Err(RtcpError::Padding)));
}
