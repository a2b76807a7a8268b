//! Codecs as the `webrtc` crate names them.

use media_core::negotiated::Codec;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_G722, MIME_TYPE_OPUS, MIME_TYPE_PCMA, MIME_TYPE_PCMU, MIME_TYPE_TELEPHONE_EVENT,
};
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};

/// Codecs with the payload types that browsers give them, and digits beside the first of them.
pub(super) fn parameters(codecs: &[Codec]) -> Vec<RTCRtpCodecParameters> {
    let mut all: Vec<RTCRtpCodecParameters> = codecs
        .iter()
        .filter_map(|codec| {
            Some(RTCRtpCodecParameters {
                rtp_codec: description_of(*codec),
                payload_type: match codec {
                    Codec::Opus => 111,
                    Codec::Pcmu => 0,
                    Codec::Pcma => 8,
                    Codec::G722 => 9,
                    Codec::Foreign(_) => return None,
                },
            })
        })
        .collect();
    // One alone: of several clocks the crate lists the first.
    let clock_rate = codecs.first().map_or(48_000, |codec| codec.clock());
    all.push(RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: MIME_TYPE_TELEPHONE_EVENT.to_owned(),
            clock_rate,
            ..Default::default()
        },
        payload_type: if clock_rate == 48_000 { 110 } else { 126 },
    });
    all
}

fn description_of(codec: Codec) -> RTCRtpCodec {
    let (mime_type, channels, line) = match codec {
        Codec::Opus => (MIME_TYPE_OPUS, 2, "minptime=10;useinbandfec=1"),
        Codec::Pcmu => (MIME_TYPE_PCMU, 0, ""),
        Codec::Pcma => (MIME_TYPE_PCMA, 0, ""),
        Codec::G722 => (MIME_TYPE_G722, 0, ""),
        // Never asked for: it is neither encoded nor decoded.
        Codec::Foreign(_) => ("", 0, ""),
    };
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate: codec.clock(),
        channels,
        sdp_fmtp_line: line.to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

/// A track to send by.
pub(super) fn track(ssrc: u32, codecs: &[Codec]) -> MediaStreamTrack {
    let codec = codecs.first().copied().unwrap_or(Codec::Opus);
    MediaStreamTrack::new(
        "phone".to_owned(),
        "audio".to_owned(),
        "audio".to_owned(),
        RtpCodecKind::Audio,
        vec![RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(ssrc),
                ..Default::default()
            },
            codec: description_of(codec),
            ..Default::default()
        }],
    )
}
