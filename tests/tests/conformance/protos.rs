//! The PROTOS c07-sip suite: nothing panics, and every message is accepted or refused with a stated reason.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use cordboard_tests::{corpora, fuzz};
use sans_io::Time;
use sip_core::framing::{Frame, StreamFramer};
use sip_core::message::Message;

/// Fields that are accepted and refused in groups whose grammar leaves no doubt: `CSeq` goes to 2^31-1,
/// `Max-Forwards` to 255.
const CERTAIN: &[(&str, (u32, u32))] = &[
    ("sip-cseq-integer", (12, 11)),
    ("sip-cseq-string", (0, 97)),
    ("sip-max-forwards", (4, 19)),
    ("sip-method", (0, 97)),
    ("sip-to-left-paranthesis", (0, 8)),
    ("sip-to-right-paranthesis", (0, 8)),
    ("sip-version", (0, 38)),
    ("sip-via-version", (0, 37)),
    ("valid", (1, 0)),
];

fn groups(folder: &Path) -> BTreeMap<String, String> {
    corpora::table(&folder.join("cases.tsv"))
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect()
}

fn case(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name).trim_end_matches(".sip")
}

#[test]
fn every_first_frame_is_accepted_or_refused_with_a_reason() {
    let Some(folder) = corpora::folder("protos-c07-sip", "the PROTOS suite as sent") else {
        return;
    };
    let groups = groups(&folder);
    let files = corpora::unpack(&folder.join("wire-invite.tar.xz"));
    assert_eq!(files.len(), 2264);
    let mut verdicts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (name, octets) in &files {
        let group = groups[case(name)].as_str();
        (fuzz::message::TARGET.run)(octets);
        let counts = verdicts.entry(group).or_default();
        match Message::parse(Bytes::copy_from_slice(octets)) {
            Ok(_) => counts.0 += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                if let Some(rejected) = error.rejected {
                    assert!([400, 501, 505, 513].contains(&rejected.code.get()), "{name}");
                }
                counts.1 += 1;
            }
        }
    }
    for (group, (accepted, refused)) in &verdicts {
        println!("{group}: {accepted} accepted, {refused} refused");
    }
    for (group, expected) in CERTAIN {
        assert_eq!(verdicts[group], *expected, "{group}");
    }
    // what only SDP sees is no business of this layer, unless the message does not fit into a datagram
    for (group, (accepted, refused)) in verdicts.iter().filter(|(group, _)| group.starts_with("sdp-")) {
        assert!(
            refused * 5 <= *accepted,
            "{group}: {accepted} accepted, {refused} refused"
        );
    }
}

#[test]
fn every_template_goes_through_parser_and_framer() {
    let Some(folder) = corpora::folder("protos-c07-sip", "the PROTOS templates") else {
        return;
    };
    let files = corpora::unpack(&folder.join("cases.tar.xz"));
    assert_eq!(files.len(), 2264);
    for (name, octets) in &files {
        // "<length> <frame>", twice
        let mut rest = &octets[..];
        while let Some(space) = rest.iter().position(|b| *b == b' ') {
            let length: usize = std::str::from_utf8(&rest[..space])
                .ok()
                .and_then(|n| n.trim().parse().ok())
                .unwrap_or(0);
            let end = (space + 1 + length).min(rest.len());
            let frame = &rest[space + 1..end];
            if frame.is_empty() {
                break;
            }
            (fuzz::message::TARGET.run)(frame);
            (fuzz::framing::TARGET.run)(frame);
            rest = &rest[end..];
        }
        assert!(!name.is_empty());
    }
}

/// A stream that carries the whole suite either yields messages or says why it must be closed, and never keeps more than
/// one message.
#[test]
fn every_case_leaves_a_stream_readable_or_closed() {
    let Some(folder) = corpora::folder("protos-c07-sip", "the PROTOS suite over a stream") else {
        return;
    };
    let valid = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n";
    let (mut alive, mut closed, mut waiting) = (0, 0, 0);
    for (_, octets) in corpora::unpack(&folder.join("wire-invite.tar.xz")) {
        let mut framer = StreamFramer::new();
        framer.push(Time::ZERO, &octets);
        framer.push(Time::ZERO, valid);
        let mut last = None;
        let failed = loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(message))) => last = Some(message),
                Ok(Some(_)) => {}
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        match (failed, framer.buffered()) {
            (true, _) => closed += 1,
            (false, 0) => {
                assert!(last.is_some_and(|last| last.ends_with(b"\r\n\r\n") || last.ends_with(b"\n")));
                alive += 1;
            }
            (false, held) => {
                // the deadline of the connection ends it
                assert!(held <= octets.len() + valid.len() && framer.waiting_since() == Some(Time::ZERO));
                waiting += 1;
            }
        }
    }
    println!("{alive} streams alive, {closed} to be closed, {waiting} waiting for more");
    assert!(alive > 1000);
}
