//! Terms of two session descriptions: codecs, digits and direction (RFC 3264).

use std::io::Cursor;

use media_core::negotiated::{Codec, Direction, TelephoneEvent};
use rtc::sdp::{MediaDescription, SessionDescription};

/// Terms on which sound flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// Payload type and codec that we send: the best of the answer.
    pub(super) send: (u8, Codec),
    /// Payload types and codecs that the peer may send.
    pub(super) receive: Vec<(u8, Codec)>,
    /// RFC 4733 digits, by the clock of the codec that we send.
    pub(super) event: Option<TelephoneEvent>,
    /// Direction, as we see it.
    pub(super) direction: Direction,
}

/// Format of a media section: payload type, name, clock rate.
type Format = (u8, String, u32);

/// Agrees on what the two descriptions of one exchange say of the audio; `None` if they have no codec in common.
/// `we_offered`: the remote one is the answer, whose order counts.
pub(super) fn agree(local: &str, remote: &str, we_offered: bool) -> Option<Terms> {
    let (ours, theirs) = (audio(local)?, audio(remote)?);
    let (our_formats, their_formats) = (formats(&ours), formats(&theirs));
    let answer = if we_offered { &their_formats } else { &our_formats };
    let (send, codec) = answer.iter().find_map(|format| {
        let codec = codec_of(format)?;
        let number = number_of(&their_formats, codec)?;
        number_of(&our_formats, codec).map(|_| (number, codec))
    })?;
    let receive = our_formats
        .iter()
        .filter_map(|format| Some((format.0, codec_of(format)?)));
    let event = |all: &[Format]| {
        let found = all
            .iter()
            .find(|(_, name, clock)| name.eq_ignore_ascii_case("telephone-event") && *clock == codec.clock());
        found.map(|format| format.0)
    };
    Some(Terms {
        send: (send, codec),
        receive: receive.collect(),
        event: event(&their_formats)
            .zip(event(&our_formats))
            .map(|(send, receive)| TelephoneEvent {
                send,
                receive,
                clock: codec.clock(),
            }),
        direction: both(direction(&ours, local), direction(&theirs, remote).reversed()),
    })
}

/// Direction in which the audio of an offer may be answered, as we see it; both ways if there is none.
pub(super) fn answerable(offer: &str) -> Direction {
    audio(offer)
        .map(|section| direction(&section, offer).reversed())
        .unwrap_or_default()
}

/// The ICE user name fragment, which changes when ICE restarts (RFC 8445 §9).
pub(super) fn ice_user(sdp: &str) -> Option<String> {
    sdp.lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
        .map(|user| user.trim().to_owned())
}

/// A description without formats that are listed twice. The `webrtc` crate takes `telephone-event` of one clock for that of another,
/// and then answers both with the same payload type.
pub(super) fn without_repetitions(sdp: &str) -> String {
    let mut out = String::with_capacity(sdp.len());
    let mut seen: Vec<&str> = Vec::new();
    for line in sdp.split_inclusive('\n') {
        if line.starts_with("m=") {
            seen.clear();
            let mut words: Vec<&str> = Vec::new();
            for word in line.trim_end().split(' ') {
                // Formats follow the kind, the port and the protocol.
                if words.len() < 3 || !words[3..].contains(&word) {
                    words.push(word);
                }
            }
            out.push_str(&words.join(" "));
            out.push_str("\r\n");
        } else if line.starts_with("a=rtpmap:") || line.starts_with("a=fmtp:") {
            if !seen.contains(&line) {
                seen.push(line);
                out.push_str(line);
            }
        } else {
            out.push_str(line);
        }
    }
    out
}

/// The first section of audio that was not refused.
fn audio(sdp: &str) -> Option<MediaDescription> {
    let parsed = SessionDescription::unmarshal(&mut Cursor::new(sdp.as_bytes())).ok()?;
    let mut sections = parsed.media_descriptions.into_iter();
    sections.find(|section| section.media_name.media == "audio" && section.media_name.port.value != 0)
}

fn formats(section: &MediaDescription) -> Vec<Format> {
    let maps: Vec<Format> = section
        .attributes
        .iter()
        .filter(|attribute| attribute.key == "rtpmap")
        .filter_map(|attribute| {
            let (number, rest) = attribute.value.as_deref()?.trim().split_once(' ')?;
            let mut parts = rest.trim().split('/');
            let (name, clock) = (parts.next()?, parts.next()?);
            Some((number.parse().ok()?, name.to_owned(), clock.parse().ok()?))
        })
        .collect();
    let numbers = section.media_name.formats.iter();
    numbers
        .filter_map(|number| {
            let number: u8 = number.parse().ok()?;
            let mapped = maps.iter().find(|map| map.0 == number).cloned();
            // RFC 3551 §6: these need no rtpmap.
            mapped.or(match number {
                0 => Some((0, "PCMU".to_owned(), 8_000)),
                8 => Some((8, "PCMA".to_owned(), 8_000)),
                9 => Some((9, "G722".to_owned(), 8_000)),
                _ => None,
            })
        })
        .collect()
}

fn codec_of((_, name, clock): &Format) -> Option<Codec> {
    [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma]
        .into_iter()
        .find(|codec| codec.name().eq_ignore_ascii_case(name) && codec.clock() == *clock)
}

fn number_of(formats: &[Format], wanted: Codec) -> Option<u8> {
    let found = formats.iter().find(|format| codec_of(format) == Some(wanted));
    found.map(|format| format.0)
}

/// Direction that a section says, or else the session.
fn direction(section: &MediaDescription, sdp: &str) -> Direction {
    let named = |name: &str| match name {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    };
    let of_section = section
        .attributes
        .iter()
        .find_map(|attribute| named(&attribute.key));
    let head = sdp.split("\nm=").next().unwrap_or_default();
    let of_session = || {
        head.lines()
            .find_map(|line| named(line.trim().strip_prefix("a=")?))
    };
    of_section.or_else(of_session).unwrap_or_default()
}

/// Direction that both allow.
fn both(a: Direction, b: Direction) -> Direction {
    match (a.sends() && b.sends(), a.receives() && b.receives()) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp(section: &str) -> String {
        format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{section}")
    }

    fn offer() -> String {
        sdp(
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n\
             a=ice-ufrag:abcd\r\na=sendrecv\r\n",
        )
    }

    #[test]
    fn the_answer_decides_on_the_codec_and_its_clock_on_the_digits() {
        let answer = sdp(
            "m=audio 4000 UDP/TLS/RTP/SAVPF 8 111 126\r\na=rtpmap:111 opus/48000/2\r\n\
             a=rtpmap:126 telephone-event/8000\r\n",
        );
        let terms = agree(&offer(), &answer, true).expect("agreed");
        assert_eq!(terms.send, (8, Codec::Pcma));
        assert_eq!(
            terms.receive,
            [(111, Codec::Opus), (0, Codec::Pcmu), (8, Codec::Pcma)]
        );
        assert_eq!(
            terms.event.map(|event| (event.send, event.receive, event.clock)),
            Some((126, 126, 8_000))
        );
        assert_eq!(terms.direction, Direction::SendRecv);
        let swapped = agree(&answer, &offer(), false).expect("agreed");
        assert_eq!(swapped.send, (8, Codec::Pcma), "our own answer decides as well");
    }

    #[test]
    fn a_peer_that_holds_is_not_sent_to() {
        for (word, direction) in [
            ("sendonly", Direction::RecvOnly),
            ("inactive", Direction::Inactive),
            ("recvonly", Direction::SendOnly),
        ] {
            let held = sdp(&format!("m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\na={word}\r\n"));
            let terms = agree(&offer(), &held, true).expect("agreed");
            assert_eq!(terms.direction, direction, "{word}");
            assert_eq!(answerable(&held), direction, "{word}");
        }
        let session = sdp("a=inactive\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n");
        assert_eq!(
            agree(&offer(), &session, true).map(|terms| terms.direction),
            Some(Direction::Inactive)
        );
    }

    #[test]
    fn a_format_is_listed_once() {
        let twice = sdp(
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 110 110\r\na=rtpmap:111 opus/48000/2\r\n\
             a=rtpmap:110 telephone-event/48000\r\na=rtpmap:110 telephone-event/48000\r\na=sendrecv\r\n",
        );
        let once = sdp(
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 110\r\na=rtpmap:111 opus/48000/2\r\n\
             a=rtpmap:110 telephone-event/48000\r\na=sendrecv\r\n",
        );
        assert_eq!(without_repetitions(&twice), once);
        assert_eq!(without_repetitions(&offer()), offer(), "nothing else changes");
    }

    #[test]
    fn nothing_in_common_is_no_agreement() {
        for section in [
            "m=audio 4000 UDP/TLS/RTP/SAVPF 9\r\n",
            "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n",
            "m=video 4000 UDP/TLS/RTP/SAVPF 0\r\n",
        ] {
            assert_eq!(agree(&offer(), &sdp(section), true), None, "{section}");
        }
        assert_eq!(agree(&offer(), "hello", true), None);
        assert_eq!(ice_user(&offer()).as_deref(), Some("abcd"));
    }
}
