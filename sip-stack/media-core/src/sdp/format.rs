use std::collections::BTreeMap;

use super::section::Section;
use crate::negotiated::{Codec, Foreign, OpusParameters, Passed};

/// Foreign formats of a section that are looked at, more than a peer has.
const MOST_FOREIGN: usize = 16;

/// Meaning of a payload type, as far as we speak it or can pass it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Audio(Codec),
    /// RFC 4733 events at this clock rate, hertz.
    Event(u32),
}

impl Kind {
    /// Ours by its `a=rtpmap` encoding: `name/clock[/channels]`.
    fn named(encoding: &str) -> Option<Kind> {
        let mut parts = encoding.split('/').map(str::trim);
        let (name, clock) = (parts.next()?, parts.next()?.parse::<u32>().ok()?);
        let channels = parts.next();
        let is = |codec: Codec| name.eq_ignore_ascii_case(codec.name()) && clock == codec.clock();
        match channels {
            // RFC 7587 §7 wants `/2`; some phones leave it out.
            _ if is(Codec::Opus) => Some(Kind::Audio(Codec::Opus)),
            None | Some("1") if is(Codec::Pcmu) => Some(Kind::Audio(Codec::Pcmu)),
            None | Some("1") if is(Codec::Pcma) => Some(Kind::Audio(Codec::Pcma)),
            None | Some("1") if is(Codec::G722) => Some(Kind::Audio(Codec::G722)),
            None | Some("1") if name.eq_ignore_ascii_case("telephone-event") => Some(Kind::Event(clock)),
            _ => None,
        }
    }

    /// By its `a=rtpmap`, or by its number where there is none.
    fn of(pt: u8, encoding: Option<&str>, fmtp: Option<&str>) -> Option<Kind> {
        let (ours, foreign) = match encoding {
            Some(encoding) => (Kind::named(encoding), Foreign::named(encoding, fmtp)),
            None => (Kind::fixed(pt), Foreign::fixed(pt, fmtp)),
        };
        ours.or(foreign.map(|format| Kind::Audio(Codec::Foreign(format))))
    }

    /// The format, if it is one that we can only pass on.
    pub(super) const fn foreign(self) -> Option<Foreign> {
        match self {
            Kind::Audio(codec) => codec.foreign(),
            Kind::Event(_) => None,
        }
    }

    /// Static payload types that need no `a=rtpmap` (RFC 3551 §6).
    const fn fixed(pt: u8) -> Option<Kind> {
        match pt {
            0 => Some(Kind::Audio(Codec::Pcmu)),
            8 => Some(Kind::Audio(Codec::Pcma)),
            9 => Some(Kind::Audio(Codec::G722)),
            _ => None,
        }
    }

    pub(super) fn rtpmap(self) -> String {
        match self {
            Kind::Audio(Codec::Opus) => "opus/48000/2".to_owned(),
            Kind::Audio(Codec::Foreign(format)) => format.encoding(),
            Kind::Audio(codec) => format!("{}/{}", codec.name(), codec.clock()),
            Kind::Event(clock) => format!("telephone-event/{clock}"),
        }
    }
}

/// A format of an audio section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) pt: u8,
    /// `None`: neither one of ours nor one to pass on.
    pub(super) kind: Option<Kind>,
    pub(super) fmtp: Option<String>,
}

/// The formats of a section in its order, each payload type once.
pub(super) fn formats(section: Section<'_>) -> Vec<Format> {
    let mut rtpmaps = BTreeMap::new();
    let mut fmtps = BTreeMap::new();
    for (map, name) in [(&mut rtpmaps, "rtpmap"), (&mut fmtps, "fmtp")] {
        for value in section.values(name) {
            if let Some((pt, rest)) = value.split_once(' ')
                && let Ok(pt) = pt.parse::<u8>()
            {
                map.entry(pt).or_insert(rest.trim());
            }
        }
    }
    let mut seen = [false; 128];
    let mut foreign = 0;
    let mut out = Vec::new();
    for pt in section
        .media
        .fmt
        .split(' ')
        .filter_map(|fmt| fmt.parse::<u8>().ok())
    {
        let Some(slot) = seen.get_mut(usize::from(pt)) else {
            continue;
        };
        if std::mem::replace(slot, true) {
            continue;
        }
        let fmtp = fmtps.get(&pt).copied();
        let mut kind = Kind::of(pt, rtpmaps.get(&pt).copied(), fmtp);
        if kind.and_then(Kind::foreign).is_some() {
            foreign += 1;
            kind = kind.filter(|_| foreign <= MOST_FOREIGN);
        }
        let fmtp = fmtp.map(str::to_owned);
        out.push(Format { pt, kind, fmtp });
    }
    out
}

/// Lets foreign formats that are called as one of `known` mean that one, however they are written, unless the section has that one as
/// well.
pub(super) fn recognise(formats: &mut [Format], known: &[Codec]) {
    let written: Vec<_> = formats.iter().filter_map(|format| format.kind).collect();
    let known = || known.iter().filter_map(|codec| codec.foreign());
    for kind in formats.iter_mut().filter_map(|format| format.kind.as_mut()) {
        let Some(foreign) = kind.foreign().filter(|foreign| known().all(|of| of != *foreign)) else {
            continue;
        };
        let same = known().find(|of| of.is_alike(&foreign)).map(Codec::Foreign);
        if let Some(same) = same.map(Kind::Audio).filter(|same| !written.contains(same)) {
            *kind = same;
        }
    }
}

/// Formats that a description names: of those that we speak and of those that we can only pass on, each in its order and once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Codecs that we speak.
    pub codecs: Vec<Codec>,
    /// Those that we cannot decode; none of a browser.
    pub passed: Vec<Passed>,
}

impl Spoken {
    pub(super) fn of(formats: &[Format]) -> Spoken {
        let mut out = Spoken::default();
        for format in formats {
            match format.kind {
                Some(Kind::Audio(Codec::Foreign(foreign))) => {
                    if out.passed.iter().all(|passed| passed.format != foreign) {
                        out.passed.push(Passed {
                            format: foreign,
                            number: format.pt,
                            fmtp: format.fmtp.clone(),
                        });
                    }
                }
                Some(Kind::Audio(codec)) => out.codecs.push(codec),
                Some(Kind::Event(_)) | None => {}
            }
        }
        out
    }
}

/// The wishes in an Opus `a=fmtp` (RFC 7587 §6.1). Missing and senseless values are the defaults.
pub(super) fn opus(fmtp: Option<&str>) -> OpusParameters {
    let mut out = OpusParameters::default();
    for (name, value) in fmtp
        .unwrap_or("")
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
    {
        let value = value.trim();
        let on = value == "1";
        match name.trim().to_ascii_lowercase().as_str() {
            "maxplaybackrate" => {
                if let Ok(rate @ 8_000..=48_000) = value.parse() {
                    out.max_playback_rate = rate;
                }
            }
            "maxaveragebitrate" => {
                if let Ok(rate @ 6_000..=510_000) = value.parse() {
                    out.max_average_bitrate = Some(rate);
                }
            }
            "useinbandfec" => out.in_band_fec = on,
            "usedtx" => out.dtx = on,
            "stereo" => out.stereo = on,
            _ => {}
        }
    }
    out
}

/// Payload type numbers of one session: what a number once meant it means until the end (RFC 3264 §8.3.2).
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    ours: BTreeMap<Kind, u8>,
    taken: BTreeMap<u8, Option<Kind>>,
}

impl Numbers {
    /// The peer offered these: our side uses the same numbers from now on (RFC 3264 §6.1).
    pub(super) fn adopt(&mut self, formats: &[Format]) {
        let mut adopted = Vec::new();
        for format in formats {
            self.taken.insert(format.pt, format.kind);
            if let Some(kind) = format.kind
                && !adopted.contains(&kind)
            {
                self.ours.insert(kind, format.pt);
                adopted.push(kind);
            }
        }
    }

    /// The peer answered with these: numbers not to be given another meaning.
    pub(super) fn reserve(&mut self, formats: &[Format]) {
        for format in formats {
            self.taken.entry(format.pt).or_insert(format.kind);
        }
    }

    /// Our number for `kind`; a new one when it has none yet: `wish` if it is free. `None` when all dynamic numbers are taken.
    pub(super) fn number(&mut self, kind: Kind, wish: Option<u8>) -> Option<u8> {
        if let Some(&pt) = self.ours.get(&kind) {
            return Some(pt);
        }
        let usual = match kind {
            Kind::Audio(Codec::Pcmu) => 0,
            Kind::Audio(Codec::Pcma) => 8,
            Kind::Audio(Codec::G722) => 9,
            Kind::Audio(Codec::Opus) => 111,
            Kind::Audio(Codec::Foreign(_)) => 96,
            Kind::Event(48_000) => 110,
            Kind::Event(_) => 101,
        };
        let pt = std::iter::once(wish.unwrap_or(usual))
            .chain(96..=127)
            .find(|pt| self.taken.get(pt).is_none_or(|taken| *taken == Some(kind)))?;
        self.taken.insert(pt, Some(kind));
        self.ours.insert(kind, pt);
        Some(pt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        assert_eq!(Kind::named("OPUS/48000/2"), Some(Kind::Audio(Codec::Opus)));
        assert_eq!(Kind::named("opus/48000"), Some(Kind::Audio(Codec::Opus)));
        assert_eq!(Kind::named("pcmu/8000/1"), Some(Kind::Audio(Codec::Pcmu)));
        assert_eq!(Kind::named("PCMA/8000/2"), None);
        assert_eq!(Kind::named("PCMU/16000"), None);
        assert_eq!(Kind::named("g722/8000"), Some(Kind::Audio(Codec::G722)));
        assert_eq!(Kind::named("G722/16000"), None, "RFC 3551 §4.5.2");
        assert_eq!(Kind::fixed(9), Some(Kind::Audio(Codec::G722)));
        assert_eq!(Kind::named("telephone-event/16000"), Some(Kind::Event(16_000)));
        assert_eq!(Kind::named("telephone-event"), None);
    }

    #[test]
    fn a_section_has_so_many_foreign_formats_and_no_more() {
        let numbers: Vec<_> = (30..=60).map(|number| number.to_string()).collect();
        let maps: String = (30..=60)
            .map(|number| format!("a=rtpmap:{number} made-up-{number}/8000\r\n"))
            .collect();
        let text = format!("v=0\r\nm=audio 4000 RTP/AVP {} 0\r\n{maps}", numbers.join(" "));
        let session = crate::sdp::read::read(text.as_bytes()).unwrap();
        let spoken = Spoken::of(&formats(Section::all(&session).next().unwrap()));
        assert_eq!(
            (spoken.passed.len(), &spoken.codecs[..]),
            (16, &[Codec::Pcmu][..])
        );
    }

    #[test]
    fn a_foreign_format_is_recognised_however_it_is_written() {
        let foreign = |encoding, fmtp| Codec::Foreign(Foreign::named(encoding, fmtp).unwrap());
        let format = |codec| Format {
            pt: 96,
            kind: Some(Kind::Audio(codec)),
            fmtp: None,
        };
        let known = [foreign("Made/8000", Some("a=1")), foreign("AMR/8000", None)];
        let mut answer = [
            format(foreign("made/8000", None)),
            format(foreign("AMR/8000", Some("octet-align=1"))),
            format(known[1]),
            format(foreign("made/16000", None)),
        ];
        let before = answer.clone();
        recognise(&mut answer, &known);
        assert_eq!(answer[0], format(known[0]));
        assert_eq!(answer[1..], before[1..], "the section has both packings of AMR");
    }

    #[test]
    fn opus_wishes() {
        let wishes = opus(Some(
            "minptime=10; useinbandfec=1;MaxPlaybackRate=16000; maxaveragebitrate=1;usedtx=1",
        ));
        assert_eq!(
            wishes,
            OpusParameters {
                max_playback_rate: 16_000,
                max_average_bitrate: None,
                in_band_fec: true,
                dtx: true,
                stereo: false
            }
        );
        assert_eq!(opus(None), OpusParameters::default());
    }

    #[test]
    fn a_number_keeps_its_meaning() {
        let mut numbers = Numbers::default();
        let format = |pt, kind| Format { pt, kind, fmtp: None };
        numbers.adopt(&[format(111, None), format(101, Some(Kind::Audio(Codec::Opus)))]);
        assert_eq!(numbers.number(Kind::Audio(Codec::Opus), None), Some(101));
        assert_eq!(numbers.number(Kind::Event(8_000), None), Some(96), "101 is Opus");
        assert_eq!(numbers.number(Kind::Event(8_000), None), Some(96));
        numbers.reserve(&[format(97, None)]);
        assert_eq!(numbers.number(Kind::Event(16_000), None), Some(98));
    }
}
