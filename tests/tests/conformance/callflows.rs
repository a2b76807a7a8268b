//! The example call flows of RFC 3665, 3515, 3327, 4916 and 5626.

use bytes::Bytes;
use cordboard_tests::corpora;
use sip_core::message::{Builder, HeaderName, Message, StartLine};

fn each(run: impl Fn(&str, &[u8], &Message)) {
    let Some(folder) = corpora::folder("rfc-callflows", "the call flows of five RFCs") else {
        return;
    };
    let mut read = 0;
    for row in corpora::table(&folder.join("expected.tsv")) {
        let [file, verdict, start_line, ..] = &row[..] else {
            panic!("{row:?}")
        };
        if verdict != "accept" {
            continue;
        }
        let octets = std::fs::read(folder.join(file)).expect("a message");
        let message =
            Message::parse(Bytes::copy_from_slice(&octets)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let own = match message.start_line() {
            StartLine::Request { method, uri } => format!("{method} {uri} SIP/2.0"),
            StartLine::Response { code, reason } => format!("SIP/2.0 {code} {reason}"),
        };
        assert_eq!(own.trim_end(), start_line.trim_end(), "{file}");
        run(file, &octets, &message);
        read += 1;
    }
    assert_eq!(read, 243);
}

#[test]
fn each_is_written_back_octet_for_octet() {
    each(|file, octets, message| {
        assert_eq!(message.to_bytes(), octets, "{file}");
        // and line by line, when something was edited
        let mut edited = message.clone();
        edited.append_named("X-Added", "1").expect("a field more");
        let text = edited.to_string();
        assert_eq!(
            text.replace("X-Added: 1\r\n", ""),
            String::from_utf8_lossy(octets),
            "{file}"
        );
    });
}

#[test]
fn each_is_rebuilt_with_the_same_meaning() {
    each(|file, _, message| {
        let rebuilt = rebuild(message);
        let rebuilt = Message::parse(rebuilt.to_bytes()).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(rebuilt.start_line(), message.start_line(), "{file}");
        let fields = |message: &Message| -> Vec<(HeaderName, String, String)> {
            let own = [
                HeaderName::ContentLength,
                HeaderName::ContentType,
                HeaderName::MaxForwards,
            ];
            let fields = message.fields().filter(|(id, ..)| !own.contains(id));
            let name = |id: HeaderName, name: &str| {
                if id == HeaderName::Other {
                    name
                } else {
                    id.as_str()
                }
                .to_owned()
            };
            let mut all: Vec<_> = fields
                .map(|(id, text, value)| (id, name(id, text), value.to_owned()))
                .collect();
            // fields of different names may change places
            all.sort_by_key(|(id, name, _)| (*id, name.clone()));
            all
        };
        assert_eq!(fields(&rebuilt), fields(message), "{file}");
        assert_eq!(rebuilt.body(), message.body(), "{file}");
        assert_eq!(
            rebuilt.header(HeaderName::ContentType),
            media_type(message),
            "{file}"
        );
        assert_eq!(
            rebuilt.header(HeaderName::ContentLength),
            Some(&*message.body().len().to_string()),
            "{file}"
        );
        if let Some(hops) = message.max_forwards() {
            assert_eq!(rebuilt.max_forwards(), Some(hops), "{file}");
        }
        assert_eq!(rebuilt.cseq(), message.cseq(), "{file}");
        assert_eq!(rebuilt.via_count(), message.via_count(), "{file}");
        assert_eq!(rebuilt.from().tag(), message.from().tag(), "{file}");
    });
}

/// A request of its own with the same fields, or the response to a request that has them.
fn rebuild(message: &Message) -> Message {
    let fields = || {
        let written = [HeaderName::ContentLength, HeaderName::ContentType];
        message.fields().filter(move |(id, ..)| !written.contains(id))
    };
    let builder = match message.start_line() {
        StartLine::Request { method, uri } => fields().fold(
            Builder::request(method.clone(), uri),
            |builder, (_, name, value)| builder.header_named(name, value),
        ),
        StartLine::Response { code, reason } => {
            let repeated = [
                HeaderName::Via,
                HeaderName::From,
                HeaderName::To,
                HeaderName::CallId,
                HeaderName::CSeq,
            ];
            let request = repeated
                .iter()
                .flat_map(|id| message.lines(*id).map(move |value| (id, value)));
            let request = request.fold(
                Builder::request(message.cseq().method, "sip:x"),
                |b, (id, value)| b.header(*id, value),
            );
            let request = request.build().expect("a request");
            let builder = Builder::response(&request, code, reason);
            fields()
                .filter(|(id, ..)| !repeated.contains(id))
                .fold(builder, |b, (_, name, value)| b.header_named(name, value))
        }
    };
    let builder = match media_type(message) {
        Some(media_type) => builder.body(media_type, message.body_bytes()),
        None => builder,
    };
    builder.build().unwrap_or_else(|e| panic!("{e}: {message}"))
}

/// One ACK of RFC 4916 forgets the type of its SDP, without which we write no body.
fn media_type(message: &Message) -> Option<&str> {
    let sdp = message.body().starts_with(b"v=0").then_some("application/sdp");
    message.header(HeaderName::ContentType).or(sdp)
}
