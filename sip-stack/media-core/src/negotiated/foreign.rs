//! Audio formats that we can neither decode nor encode, and pass on between two legs as they are.

use std::fmt;

/// Bytes of the longest name.
const NAME: usize = 32;
/// Bytes of the longest `a=fmtp`.
const PARAMETERS: usize = 256;

/// A format that we can neither decode nor encode. Two are equal if one peer understands the packets of the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foreign {
    name: [u8; NAME],
    length: u8,
    channels: u8,
    /// Tells packings of one codec from each other: a digest of the parameters that change what a packet looks like.
    packing: u16,
    clock: u32,
}

/// Names in their usual spelling, and whether parameters tell what a packet of the format looks like.
const KNOWN: [(&str, Parameters); 22] = [
    ("G729", Parameters::Advise),
    ("G729D", Parameters::Advise),
    ("G729E", Parameters::Advise),
    ("G723", Parameters::Advise),
    ("G728", Parameters::Advise),
    ("GSM", Parameters::Advise),
    ("GSM-EFR", Parameters::Advise),
    ("GSM-HR-08", Parameters::Advise),
    ("iLBC", Parameters::Advise),
    ("speex", Parameters::Advise),
    ("SILK", Parameters::Advise),
    ("iSAC", Parameters::Advise),
    ("LPC", Parameters::Advise),
    ("DVI4", Parameters::Advise),
    ("L16", Parameters::Advise),
    ("G726-16", Parameters::Advise),
    ("G726-24", Parameters::Advise),
    ("G726-32", Parameters::Advise),
    ("G726-40", Parameters::Advise),
    ("QCELP", Parameters::Advise),
    ("AMR", Parameters::Pack),
    ("AMR-WB", Parameters::Pack),
];

/// Formats of RFC 3551 §6 by their number, whose `a=rtpmap` may be missing.
const STATIC: [(u8, &str, u32, u8); 13] = [
    (3, "GSM", 8_000, 1),
    (4, "G723", 8_000, 1),
    (5, "DVI4", 8_000, 1),
    (6, "DVI4", 16_000, 1),
    (7, "LPC", 8_000, 1),
    (10, "L16", 44_100, 2),
    (11, "L16", 44_100, 1),
    (12, "QCELP", 8_000, 1),
    (14, "MPA", 90_000, 1),
    (15, "G728", 8_000, 1),
    (16, "DVI4", 11_025, 1),
    (17, "DVI4", 22_050, 1),
    (18, "G729", 8_000, 1),
];

/// Formats that are no sound by themselves, but go beside some.
const BESIDE: [&str; 8] = [
    "telephone-event",
    "tone",
    "CN",
    "red",
    "ulpfec",
    "parityfec",
    "flexfec",
    "rtx",
];

/// Meaning of a format's parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameters {
    /// Wishes about what is sent; any packet is understood.
    Advise,
    /// `octet-align` and those that imply it say how packets are made (RFC 4867 §8.1).
    Pack,
}

impl Foreign {
    /// A format by its `a=rtpmap` (`name/clock[/channels]`) and `a=fmtp`. `None` for one that is no sound by itself, and for what is
    /// no usual name (up to 32 letters, digits, `-`, `.`, `_` or `+`), clock (1 to 192 kHz), number of channels or parameters
    /// (up to 256 printable characters).
    #[must_use]
    pub fn named(encoding: &str, fmtp: Option<&str>) -> Option<Foreign> {
        let mut parts = encoding.split('/').map(str::trim);
        let name = parts.next()?;
        let clock = parts.next()?.parse().ok()?;
        let channels = parts.next().map_or(Some(1), |channels| channels.parse().ok())?;
        Foreign::new(name, clock, channels, fmtp)
    }

    /// A format by its static number alone (RFC 3551 §6).
    #[must_use]
    pub fn fixed(number: u8, fmtp: Option<&str>) -> Option<Foreign> {
        let (_, name, clock, channels) = STATIC.iter().find(|(of, ..)| *of == number)?;
        Foreign::new(name, *clock, *channels, fmtp)
    }

    fn new(name: &str, clock: u32, channels: u8, fmtp: Option<&str>) -> Option<Foreign> {
        let is_text =
            |text: &str| text.len() <= PARAMETERS && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let is_usual =
            (1_000..=192_000).contains(&clock) && (1..=8).contains(&channels) && fmtp.is_none_or(is_text);
        if !is_name(name) || !is_usual {
            return None;
        }
        let known = KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let packing = match known.map(|(_, parameters)| *parameters) {
            Some(Parameters::Advise) => 0,
            Some(Parameters::Pack) => u16::from(is_octet_aligned(fmtp)),
            // Nobody knows which of them matter.
            None => digest(fmtp.unwrap_or("")),
        };
        let spelling = known.map_or(name, |(known, _)| known);
        let mut out = Foreign {
            name: [0; NAME],
            length: u8::try_from(spelling.len()).ok()?,
            channels,
            packing,
            clock,
        };
        out.name
            .get_mut(..spelling.len())?
            .copy_from_slice(spelling.as_bytes());
        Some(out)
    }

    /// Name as in `a=rtpmap`.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.name.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// RTP clock rate, hertz.
    #[must_use]
    pub const fn clock(&self) -> u32 {
        self.clock
    }

    /// Its `a=rtpmap`, without the number.
    #[must_use]
    pub fn encoding(&self) -> String {
        match self.channels {
            1 => format!("{}/{}", self.name(), self.clock),
            channels => format!("{}/{}/{channels}", self.name(), self.clock),
        }
    }

    /// True if the two are called the same, however each packs it.
    #[must_use]
    pub fn is_alike(&self, other: &Foreign) -> bool {
        self.name().eq_ignore_ascii_case(other.name())
            && (self.clock, self.channels) == (other.clock, other.channels)
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.encoding(), self.packing)
    }
}

/// True for what may be the name of a format that is sound.
fn is_name(name: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+');
    let is_beside = BESIDE.iter().any(|beside| beside.eq_ignore_ascii_case(name));
    (1..=NAME).contains(&name.len()) && name.bytes().all(is_usual) && !is_beside
}

/// True for parameters by which AMR comes octet by octet.
fn is_octet_aligned(fmtp: Option<&str>) -> bool {
    let parameters = fmtp
        .unwrap_or("")
        .split(';')
        .filter_map(|one| one.split_once('='));
    parameters.into_iter().any(|(name, value)| {
        let (name, value) = (name.trim(), value.trim());
        let implies = |of: &str| name.eq_ignore_ascii_case(of) && value == "1";
        implies("octet-align")
            || implies("crc")
            || implies("robust-sorting")
            || name.eq_ignore_ascii_case("interleaving")
    })
}

/// A digest of parameters, whatever their case and spaces (FNV-1a, folded).
fn digest(fmtp: &str) -> u16 {
    let written = fmtp.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let hash = written.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    (hash >> 16) as u16 ^ hash as u16
}

/// A foreign format as a peer describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The format.
    pub format: Foreign,
    /// Number that the peer gives it.
    pub number: u8,
    /// Its `a=fmtp`, without the number.
    pub fmtp: Option<String>,
}

impl Passed {
    /// True for what may be the name of a format that we cannot decode.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        let ours = ["opus", "G722", "PCMU", "PCMA"];
        is_name(name) && !ours.iter().any(|ours| ours.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_name_or_its_static_number() {
        let named = Foreign::named("g729/8000", Some("annexb=no")).unwrap();
        assert_eq!((named.name(), named.clock()), ("G729", 8_000));
        assert_eq!(Some(named), Foreign::fixed(18, None), "annex B changes no packet");
        assert_eq!(Foreign::fixed(10, None).unwrap().encoding(), "L16/44100/2");
        assert_eq!(Foreign::fixed(13, None), None, "comfort noise is no sound alone");
        assert_eq!(Foreign::fixed(0, None), None);
        assert_eq!(
            Foreign::named("Siren/16000/1", None).unwrap().encoding(),
            "Siren/16000"
        );
    }

    #[test]
    fn what_is_no_format_is_none() {
        let long = "x".repeat(33);
        for encoding in [
            "telephone-event/8000",
            "cn/8000",
            "RED/8000",
            "G729",
            "G729/0",
            "G729/x",
            "G729/8000/0",
            "G729/8000/200",
            "/8000",
            "a b/8000",
            "é/8000",
            &format!("{long}/8000"),
        ] {
            assert_eq!(Foreign::named(encoding, None), None, "{encoding}");
        }
        assert!(Foreign::named(&format!("{}/8000", &long[1..]), None).is_some());
        assert_eq!(Foreign::named("iLBC/8000", Some(&"m".repeat(257))), None);
        assert_eq!(Foreign::named("iLBC/8000", Some("mode=\u{7}")), None);
        assert!(Passed::is_name("G729") && !Passed::is_name("g722") && !Passed::is_name("cn"));
    }

    #[test]
    fn packings_of_one_codec_are_different_formats() {
        let amr = |fmtp| Foreign::named("AMR/8000", Some(fmtp)).unwrap();
        assert_eq!(amr("mode-set=0,2"), amr("octet-align=0"));
        assert_eq!(amr("octet-align=1"), amr("mode-set=7; Octet-Align=1"));
        assert_ne!(amr("octet-align=1"), amr("octet-align=0"));
        assert_eq!(amr("crc=1"), amr("octet-align=1"));
        assert!(amr("octet-align=1").is_alike(&amr("")));
        let other = |fmtp| Foreign::named("G7221/16000", Some(fmtp)).unwrap();
        assert_eq!(other("bitrate=32000"), other("BITRATE = 32000"));
        assert_ne!(other("bitrate=32000"), other("bitrate=24000"));
    }
}
