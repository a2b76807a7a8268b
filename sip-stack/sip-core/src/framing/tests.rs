use super::*;

const OPTIONS: &str =
    "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nl : 4\r\nX: y\r\n\r\nbody";
const BYE: &str = "BYE sip:a@b SIP/2.0\nCONTENT-LENGTH:\n 0\n\n";

fn drain(framer: &mut StreamFramer) -> Vec<Frame> {
    std::iter::from_fn(|| framer.next_frame().expect("no framing error")).collect()
}

fn message(text: &str) -> Frame {
    Frame::Message(Bytes::copy_from_slice(text.as_bytes()))
}

fn fails(text: &str) -> FramingError {
    let mut framer = StreamFramer::new();
    framer.push(Time::ZERO, text.as_bytes());
    loop {
        match framer.next_frame() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no error in {text:.200?}"),
            Err(error) => {
                // and it stays so
                framer.push(Time::ZERO, OPTIONS.as_bytes());
                assert_eq!(framer.next_frame().unwrap_err().defect, error.defect);
                assert_eq!((framer.buffered(), framer.waiting_since()), (0, None));
                return error;
            }
        }
    }
}

#[test]
fn pipelined_messages_and_keep_alives_come_out_one_by_one() {
    let mut framer = StreamFramer::new();
    framer.push(
        Time::ZERO,
        format!("\r\n\r\n{OPTIONS}\r\n{BYE}\r\n\r\n{OPTIONS}{OPTIONS}").as_bytes(),
    );
    let expected = [
        Frame::KeepAlivePing,
        message(OPTIONS),
        Frame::KeepAlivePong,
        message(BYE),
        Frame::KeepAlivePing,
        message(OPTIONS),
        message(OPTIONS),
    ];
    assert_eq!(drain(&mut framer), expected);
    assert_eq!((framer.buffered(), framer.waiting_since()), (0, None));
}

#[test]
fn the_same_messages_come_out_wherever_the_stream_is_split() {
    let stream = format!("{OPTIONS}\r\n\r\n{BYE}{OPTIONS}");
    let whole = [
        message(OPTIONS),
        Frame::KeepAlivePing,
        message(BYE),
        message(OPTIONS),
    ];
    for split in 0..=stream.len() {
        let mut framer = StreamFramer::new();
        let mut frames = Vec::new();
        for part in [&stream[..split], &stream[split..]] {
            framer.push(Time::ZERO, part.as_bytes());
            frames.extend(drain(&mut framer));
        }
        // the first half of a split ping looks like a pong
        frames.retain(|frame| *frame != Frame::KeepAlivePong);
        assert_eq!(frames, whole, "split at {split}");
    }
    let mut framer = StreamFramer::new();
    let mut frames = Vec::new();
    for octet in stream.bytes() {
        framer.push(Time::ZERO, &[octet]);
        frames.extend(drain(&mut framer));
    }
    frames.retain(|frame| *frame != Frame::KeepAlivePong);
    assert_eq!(frames, whole);
}

#[test]
fn a_lone_crlf_is_reported_at_once() {
    let mut framer = StreamFramer::new();
    framer.push(Time::ZERO, b"\r\n");
    assert_eq!(drain(&mut framer), [Frame::KeepAlivePong]);
    assert_eq!(framer.waiting_since(), None);
    framer.push(Time::ZERO, b"\r\n");
    assert_eq!(drain(&mut framer), [Frame::KeepAlivePing]);
}

#[test]
fn tells_since_when_a_message_is_incomplete_however_slowly_it_drips() {
    let mut framer = StreamFramer::new();
    assert_eq!(framer.waiting_since(), None);
    for (i, octet) in OPTIONS.bytes().enumerate() {
        framer.push(Time::from_secs(100 + i as u64), &[octet]);
        if i + 1 < OPTIONS.len() {
            assert_eq!(drain(&mut framer), []);
            assert_eq!(framer.waiting_since(), Some(Time::from_secs(100)));
        }
    }
    assert_eq!(drain(&mut framer), [message(OPTIONS)]);
    assert_eq!(framer.waiting_since(), None);
    framer.push(Time::from_secs(1000), format!("{OPTIONS}BYE").as_bytes());
    assert_eq!(drain(&mut framer), [message(OPTIONS)]);
    assert_eq!(framer.waiting_since(), Some(Time::from_secs(1000)));
}

#[test]
fn an_unclear_length_ends_the_stream_and_is_answered() {
    let head = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nCSeq: 1 OPTIONS\r\n";
    for (field, defect) in [
        ("", Defect::Missing(HeaderName::ContentLength)),
        (
            "Content-Length: -1\r\n",
            Defect::Malformed(HeaderName::ContentLength),
        ),
        (
            "Content-Length:\r\n",
            Defect::Malformed(HeaderName::ContentLength),
        ),
        (
            "Content-Length: 1 2\r\n",
            Defect::Malformed(HeaderName::ContentLength),
        ),
        (
            "Content-Length: 5\r\nl: 5\r\n",
            Defect::Repeated(HeaderName::ContentLength),
        ),
        ("Content-Length: 65536\r\n", Defect::TooLarge),
        ("Content-Length: 99999999999999999999999\r\n", Defect::TooLarge),
    ] {
        let error = fails(&format!("{head}{field}\r\n"));
        assert_eq!(error.defect, defect, "{field}");
        let response = error.rejected.expect("an answer").response("t", None);
        assert!(response.starts_with(format!("SIP/2.0 {} ", defect.code()).as_bytes()));
    }
    let error = fails("SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n\r\n");
    assert!(error.rejected.is_none(), "a response is never answered");
}

#[test]
fn limits_hold_before_the_header_block_ends() {
    assert_eq!(fails(&"a".repeat(limits::LINE + 1)).defect, Defect::LineTooLong);
    let line = format!("X: {}\r\n", "y".repeat(1000));
    assert_eq!(
        fails(&format!("BYE sip:a SIP/2.0\r\n{}", line.repeat(70))).defect,
        Defect::TooLarge
    );
    let many = format!(
        "BYE sip:a SIP/2.0\r\n{}l: 0\r\n\r\n",
        "X: y\r\n".repeat(limits::HEADERS)
    );
    assert_eq!(fails(&many).defect, Defect::TooManyHeaders);
    let most = format!(
        "BYE sip:a SIP/2.0\r\n{}l: 0\r\n\r\n",
        "X: y\r\n".repeat(limits::HEADERS - 1)
    );
    let mut framer = StreamFramer::new();
    framer.push(Time::ZERO, most.as_bytes());
    assert_eq!(drain(&mut framer).len(), 1);
}

#[test]
fn a_malformed_message_that_can_be_cut_out_leaves_the_stream_alive() {
    let bad = "OPTIONS  sip:a@b SIP/2.0\r\nno colon\r\nl: 0\r\n\r\n";
    let mut framer = StreamFramer::new();
    framer.push(Time::ZERO, format!("{bad}{OPTIONS}").as_bytes());
    assert_eq!(drain(&mut framer), [message(bad), message(OPTIONS)]);
}

#[test]
fn datagrams() {
    assert_eq!(Frame::from_datagram(Bytes::new()), None);
    assert_eq!(
        Frame::from_datagram(Bytes::from_static(b"\r\n\r\n")),
        Some(Frame::KeepAlivePing)
    );
    assert_eq!(
        Frame::from_datagram(Bytes::from_static(b"\0\0\0\0")),
        Some(Frame::KeepAlivePing)
    );
    assert_eq!(
        Frame::from_datagram(Bytes::from_static(b"\r\n")),
        Some(Frame::KeepAlivePong)
    );
    assert_eq!(Frame::from_datagram(Bytes::from_static(b"x")), Some(message("x")));
}
