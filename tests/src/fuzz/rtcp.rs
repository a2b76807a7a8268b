//! An RTCP compound of any peer.

use media_core::rtcp::{Compound, Outgoing, ReportBlock, Rtcp, SenderInfo, write_bye, write_report};

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "rtcp",
    seeds,
    words: &[],
    run,
};

fn seeds() -> Vec<Vec<u8>> {
    let mut sender = Vec::new();
    let block = ReportBlock {
        ssrc: 7,
        cumulative_lost: -1,
        highest_sequence: 70_000,
        ..ReportBlock::default()
    };
    let info = SenderInfo {
        ntp: 1 << 40,
        rtp: 2,
        packets: 3,
        octets: 4,
    };
    write_report(
        &mut sender,
        &Outgoing {
            ssrc: 1,
            sender: Some(info),
            block: Some(block),
            cname: "cname",
        },
    );
    write_bye(&mut sender, 1);
    let mut receiver = Vec::new();
    write_report(
        &mut receiver,
        &Outgoing {
            ssrc: 1,
            sender: None,
            block: Some(block),
            cname: "",
        },
    );
    let mut seeds = vec![sender, receiver, vec![0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4]];
    let names = [
        "rtcp_sr",
        "rtcp_rr",
        "rtcp_sdes",
        "rtcp_bye",
        "rtcp_bye_padding",
        "rtcp_psfb_pli",
        "rtcp_rtpfb",
    ];
    if let Some(folder) = crate::corpora::folder("rtp-rtcp-aiortc", "seeds of others") {
        let read = |name: &&str| std::fs::read(folder.join(format!("{name}.bin"))).ok();
        seeds.extend(names.iter().filter_map(read));
    }
    seeds
}

/// Reading ends, nothing follows an error, a compound begins with a report, and a report block survives being written.
pub fn run(data: &[u8]) {
    let packets: Vec<_> = Compound::parse(data).collect();
    assert!(packets.len() <= data.len() / 4 + 1);
    for (i, packet) in packets.iter().enumerate() {
        let blocks = match packet {
            Err(_) => {
                assert_eq!(i + 1, packets.len(), "more after an error");
                return;
            }
            Ok(Rtcp::SenderReport { blocks, .. } | Rtcp::ReceiverReport { blocks, .. }) => *blocks,
            Ok(_) => {
                assert!(i > 0, "begins with {packet:?}");
                continue;
            }
        };
        for block in blocks {
            let mut again = Vec::new();
            write_report(
                &mut again,
                &Outgoing {
                    ssrc: 1,
                    sender: None,
                    block: Some(block),
                    cname: "x",
                },
            );
            let Some(Ok(Rtcp::ReceiverReport { mut blocks, .. })) = Compound::parse(&again).next() else {
                panic!("our own report is refused");
            };
            assert_eq!(blocks.next(), Some(block));
        }
    }
}
