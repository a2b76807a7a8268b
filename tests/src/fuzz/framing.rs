//! A stream of messages, split anywhere.

use bytes::Bytes;
use sans_io::{Rng, Time};
use sip_core::framing::{Frame, StreamFramer};
use sip_core::message::{Defect, Message};

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "framing",
    seeds,
    words: super::message::WORDS,
    run,
};

fn seeds() -> Vec<Vec<u8>> {
    let messages = super::message::seeds();
    let mut streams: Vec<Vec<u8>> = messages.iter().take(60).cloned().collect();
    streams.push(messages.iter().take(4).flatten().copied().collect());
    streams.push(b"\r\n\r\n\r\n".to_vec());
    streams.push([&messages[0][..], b"\r\n\r\n", &messages[0]].concat());
    streams
}

/// Whole and in pieces, a stream yields the same messages and ends the same way; and where the framer saw the end of a
/// message, the parser sees it too.
pub fn run(stream: &[u8]) {
    let whole = frames(&[stream]);
    let seed = stream
        .iter()
        .fold(1u64, |hash, b| hash.wrapping_mul(31).wrapping_add(u64::from(*b)));
    let mut rng = Rng::seeded(seed);
    let mut pieces = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let longest = if rng.percent(50) { 3 } else { 2000 };
        let (piece, behind) = rest.split_at(1 + rng.below(rest.len().min(longest) as u64) as usize);
        pieces.push(piece);
        rest = behind;
    }
    let split = frames(&pieces);
    assert_eq!(whole, split, "the split changed the outcome");
    for message in &whole.0 {
        if let Ok(parsed) = Message::parse(message.clone()) {
            let start = message.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            assert_eq!(
                parsed.to_bytes(),
                message[start..],
                "framer and parser disagree on the end"
            );
        }
    }
}

/// The messages of the stream, and what ended it. Keep-alives are left out: half a ping looks like a pong.
fn frames(pieces: &[&[u8]]) -> (Vec<Bytes>, Option<Defect>) {
    let mut framer = StreamFramer::new();
    let mut messages = Vec::new();
    for (i, piece) in pieces.iter().enumerate() {
        framer.push(Time(i as u64), piece);
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(message))) => messages.push(message),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return (messages, Some(error.defect)),
            }
        }
        assert_eq!(framer.waiting_since().is_some(), framer.buffered() > 0);
    }
    (messages, None)
}
