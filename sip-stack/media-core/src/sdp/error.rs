use std::fmt;

/// Why an offer or an answer cannot be used. Displays as one line fit for a SIP `Warning` header or reason text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SdpError {
    /// More than 64 KiB, 2,048 lines or 64 media sections.
    TooLarge,
    /// Not SDP (RFC 8866).
    Malformed(String),
    /// An answer came, but no offer of ours is out.
    NoOffer,
    /// An answer with more sections than our offer (RFC 3264 §6).
    Sections,
    /// No audio section at all, or each has port 0.
    NoAudio,
    /// Audio, but over a transport that this leg does not speak: the section's `proto`.
    Transport(String),
    /// Audio, but in none of our codecs.
    NoCommonCodec,
    /// No address that media can be sent to.
    Address(String),
    /// Media over a network that is not the Internet: the nettype.
    Network(String),
    /// Media over a family of addresses that this leg does not speak (RFC 6157).
    Family(&'static str),
    /// ICE is missing, incomplete, or lite on both sides (RFC 8839).
    Ice(&'static str),
    /// No `a=fingerprint` with a hash that we accept (RFC 8122).
    Fingerprint,
    /// No `a=crypto` that we can do what it says (RFC 4568), or an answer to none of ours.
    Crypto,
    /// Media in the clear, where they must be encrypted.
    Unencrypted,
    /// An `a=setup` that leaves the DTLS role open (RFC 5763 §5).
    Setup(String),
}

impl SdpError {
    /// A peer that is lite, where our side is as well.
    #[must_use]
    pub const fn both_lite() -> SdpError {
        SdpError::Ice("both sides are lite, nobody would send checks")
    }

    /// The SIP status code to refuse the request with: 400 for a body that is not SDP, 488 for SDP that we
    /// cannot serve.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            SdpError::TooLarge | SdpError::Malformed(_) | SdpError::NoOffer => 400,
            _ => 488,
        }
    }

    /// The warn-code of a `Warning` header beside it (RFC 3261 §20.43).
    #[must_use]
    pub const fn warning(&self) -> u16 {
        match self {
            SdpError::NoAudio => 304,
            SdpError::Transport(_) | SdpError::Unencrypted => 302,
            SdpError::NoCommonCodec => 305,
            SdpError::Network(_) | SdpError::Family(_) => 300,
            SdpError::Address(_) => 301,
            SdpError::Ice(_) | SdpError::Fingerprint | SdpError::Setup(_) | SdpError::Crypto => 306,
            _ => 399,
        }
    }
}

impl fmt::Display for SdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SdpError::TooLarge => write!(f, "session description too large"),
            SdpError::Malformed(what) => write!(f, "malformed session description: {what}"),
            SdpError::NoOffer => write!(f, "session description answers no offer"),
            SdpError::Sections => write!(f, "the answer has more sections than the offer"),
            SdpError::NoAudio => write!(f, "no audio"),
            SdpError::Transport(proto) => write!(f, "audio over {proto} is not supported here"),
            SdpError::NoCommonCodec => write!(f, "no common audio codec"),
            SdpError::Address(address) => write!(f, "media cannot be sent to {address}"),
            SdpError::Network(network) => write!(f, "network type {network} is not supported here"),
            SdpError::Family(family) => write!(f, "media over {family} are not supported here"),
            SdpError::Ice(what) => write!(f, "ICE: {what}"),
            SdpError::Fingerprint => write!(f, "no certificate fingerprint with SHA-256, SHA-384 or SHA-512"),
            SdpError::Crypto => write!(
                f,
                "no a=crypto with a suite and parameters that are supported here"
            ),
            SdpError::Unencrypted => write!(f, "media must be encrypted here"),
            SdpError::Setup(value) => write!(f, "a=setup:{value} leaves the DTLS role open"),
        }
    }
}

impl std::error::Error for SdpError {}
