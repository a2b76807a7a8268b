//! Keys in SDP: the attribute `a=crypto` (RFC 4568), as peers write it and as we do.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sans_io::Rng;

use super::SdpError;
use super::section::Section;
use crate::srtp::{Keys, MasterKey, Profile};

/// Encryption of a phone's media with keys in SDP (RFC 4568). Whatever it says, an offer of `RTP/SAVP` is answered with keys or
/// refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SrtpPolicy {
    /// Our offers have no keys, and those beside `RTP/AVP` are ignored.
    #[default]
    Off,
    /// Our offers have keys beside `RTP/AVP`: a peer that knows them answers with its own, and others speak plain RTP.
    Optional,
    /// Our offers are `RTP/SAVP`, and a peer without keys is refused.
    Required,
}

/// Suites that we offer, best first. More would make an INVITE too long for one datagram; the others are accepted.
const OFFERED: [Profile; 3] = [
    Profile::AeadAes256Gcm,
    Profile::AeadAes128Gcm,
    Profile::Aes128CmSha1_80,
];

/// The most packets that a key may serve (RFC 3711 §9.2).
const LONGEST_LIFE: u64 = 1 << 48;

/// Base64 as peers write it: its padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One `a=crypto`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Crypto {
    tag: u32,
    suite: Profile,
    key: MasterKey,
    /// Key and salt as they are written.
    inline: String,
}

/// Keys of an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) local: Crypto,
    pub(super) remote: Crypto,
}

/// Keys that a peer's section brings: those that we can use, in the peer's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keying {
    /// `RTP/AVP` alone.
    Plain,
    /// `RTP/AVP` and `a=crypto` beside it.
    BestEffort(Vec<Crypto>),
    /// `RTP/SAVP`.
    Secure(Vec<Crypto>),
}

impl Keying {
    /// Keying of a phone's section, by the peer's wish and ours. Of attributes with the same tag the first counts (RFC 4568 §4.1).
    pub(super) fn read(section: Section<'_>, srtp: SrtpPolicy) -> Result<Keying, SdpError> {
        let mut usable: Vec<Crypto> = Vec::new();
        for crypto in section.values("crypto").filter_map(Crypto::parse) {
            if !usable.iter().any(|known| known.tag == crypto.tag) {
                usable.push(crypto);
            }
        }
        match (is_secure(&section.media.proto), usable.is_empty()) {
            (true, true) => Err(SdpError::Crypto),
            (true, false) => Ok(Keying::Secure(usable)),
            (false, true) if srtp == SrtpPolicy::Required => Err(SdpError::Unencrypted),
            (false, true) if section.values("crypto").next().is_none() => Ok(Keying::Plain),
            (false, _) => Ok(Keying::BestEffort(usable)),
        }
    }

    /// Keys that our answer to this offer agrees on, after those `before`; none for plain RTP.
    pub(super) fn of_offer(
        &self,
        srtp: SrtpPolicy,
        before: Option<&Agreed>,
        rng: &mut Rng,
    ) -> Result<Option<Agreed>, SdpError> {
        let theirs = match self {
            Keying::Plain => None,
            // Whoever offers both has to do with either.
            Keying::BestEffort(_) if srtp == SrtpPolicy::Off => None,
            Keying::BestEffort(offered) | Keying::Secure(offered) => offered.first(),
        };
        let Some(theirs) = theirs else { return Ok(None) };
        theirs.answered(before, rng).ok_or(SdpError::Crypto).map(Some)
    }

    /// Keys that this answer agrees on, of those that we offered; none for plain RTP, where the offer was not `secure` and left
    /// that open.
    pub(super) fn of_answer(
        &self,
        offered: &[Crypto],
        secure: bool,
        answer: Section<'_>,
    ) -> Result<Option<Agreed>, SdpError> {
        let answered = match self {
            Keying::Plain if secure => return Err(SdpError::Unencrypted),
            Keying::Plain => return Ok(None),
            Keying::Secure(_) if offered.is_empty() => {
                let proto = answer.media.proto.chars().take(32).collect();
                return Err(SdpError::Transport(proto));
            }
            // An answer to nothing that we offered.
            Keying::BestEffort(_) if offered.is_empty() => return Ok(None),
            Keying::BestEffort(answered) | Keying::Secure(answered) => answered,
        };
        let theirs = answered.first().ok_or(SdpError::Crypto)?;
        theirs.answers(offered).ok_or(SdpError::Crypto).map(Some)
    }
}

/// True for `RTP/SAVP` and `RTP/SAVPF`, whatever carries them.
pub(super) fn is_secure(proto: &str) -> bool {
    proto.to_ascii_uppercase().contains("SAVP")
}

impl Agreed {
    /// For the transport.
    pub(super) fn keys(&self) -> Box<Keys> {
        Box::new(Keys {
            local: self.local.key,
            remote: self.remote.key,
        })
    }
}

impl Crypto {
    /// Reads the value of an attribute; `None` if we cannot do what it says. Nothing of it may be ignored (RFC 4568 §6.3): a
    /// session parameter that we do not obey refuses the whole attribute, and so does a master key identifier, which
    /// would be in each packet.
    fn parse(text: &str) -> Option<Crypto> {
        let mut words = text.split_ascii_whitespace();
        let tag = words.next().filter(|tag| (1..=9).contains(&tag.len()))?;
        let tag = tag.bytes().all(|octet| octet.is_ascii_digit()).then_some(tag)?;
        let suite = profile(words.next()?)?;
        let (method, key) = words.next()?.split_once(':')?;
        if !method.eq_ignore_ascii_case("inline") || !words.all(obeyed) {
            return None;
        }
        let mut parts = key.split('|');
        let inline = parts.next()?;
        match (parts.next(), parts.next()) {
            (None, _) => {}
            (Some(life), None) if is_lifetime(life) => {}
            _ => return None,
        }
        let octets = BASE64.decode(inline).ok()?;
        Some(Crypto {
            tag: tag.parse().ok()?,
            suite,
            key: master(suite, &octets)?,
            inline: inline.to_owned(),
        })
    }

    /// A key of ours that nobody had before.
    fn fresh(tag: u32, suite: Profile, rng: &mut Rng) -> Option<Crypto> {
        let mut octets = vec![0; suite.key_len() + suite.salt_len()];
        rng.fill(&mut octets);
        Some(Crypto {
            tag,
            suite,
            key: master(suite, &octets)?,
            inline: BASE64.encode(&octets),
        })
    }

    /// Keys to offer.
    pub(super) fn offered(rng: &mut Rng) -> Vec<Crypto> {
        (1..)
            .zip(OFFERED)
            .filter_map(|(tag, suite)| Crypto::fresh(tag, suite, rng))
            .collect()
    }

    /// Our answer to this: under its tag, by its suite (RFC 4568 §5.1.2). Our key stays as long as the peer's does, and else
    /// is new, so that both directions begin anew together (§7.1.4).
    fn answered(&self, before: Option<&Agreed>, rng: &mut Rng) -> Option<Agreed> {
        let local = match before.filter(|before| before.remote.key == self.key) {
            Some(before) => Crypto {
                tag: self.tag,
                ..before.local.clone()
            },
            None => Crypto::fresh(self.tag, self.suite, rng)?,
        };
        Some(Agreed {
            local,
            remote: self.clone(),
        })
    }

    /// The one of these offers of ours that this answers: that of its tag, if it has the suite as well (RFC 4568 §5.1.3).
    fn answers(&self, offered: &[Crypto]) -> Option<Agreed> {
        let local = offered.iter().find(|offered| offered.tag == self.tag);
        local
            .filter(|local| local.suite == self.suite)
            .map(|local| Agreed {
                local: local.clone(),
                remote: self.clone(),
            })
    }

    /// As written after `a=crypto:`.
    pub(super) fn value(&self) -> String {
        format!("{} {} inline:{}", self.tag, name(self.suite), self.inline)
    }
}

/// The keys are not for logs.
impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypto")
            .field("tag", &self.tag)
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

fn master(suite: Profile, octets: &[u8]) -> Option<MasterKey> {
    let (key, salt) = octets.split_at_checked(suite.key_len())?;
    MasterKey::new(suite, key, salt)
}

/// RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2.
const fn name(suite: Profile) -> &'static str {
    match suite {
        Profile::Aes128CmSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        Profile::Aes128CmSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        Profile::Aes256CmSha1_80 => "AES_256_CM_HMAC_SHA1_80",
        Profile::AeadAes128Gcm => "AEAD_AES_128_GCM",
        Profile::AeadAes256Gcm => "AEAD_AES_256_GCM",
    }
}

fn profile(text: &str) -> Option<Profile> {
    [
        Profile::Aes128CmSha1_80,
        Profile::Aes128CmSha1_32,
        Profile::Aes256CmSha1_80,
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
    ]
    .into_iter()
    .find(|suite| name(*suite).eq_ignore_ascii_case(text))
}

/// Packets that the peer's key serves: a number, or a power of two (RFC 4568 §6.1). It is the peer who must change it then.
fn is_lifetime(text: &str) -> bool {
    let packets = match text.split_once('^') {
        Some(("2", power)) => power.parse().ok().and_then(|power| 1_u64.checked_shl(power)),
        Some(_) => None,
        None => text.parse().ok(),
    };
    packets.is_some_and(|packets| (1..=LONGEST_LIFE).contains(&packets))
}

/// True for a session parameter (RFC 4568 §6.3) that asks for nothing that we do not do: the size of the replay window is a hint,
/// and one behind `-` may be ignored.
fn obeyed(parameter: &str) -> bool {
    if parameter.starts_with('-') {
        return true;
    }
    match parameter.split_once('=') {
        Some((name, size)) if name.eq_ignore_ascii_case("WSH") => {
            size.parse::<u32>().is_ok_and(|size| size >= 64)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 4568 §9.1.
    const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    fn parse(text: &str) -> Option<String> {
        Crypto::parse(text).map(|crypto| crypto.value())
    }

    #[test]
    fn attributes_are_read_and_written_back() {
        let plain = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
        assert_eq!(parse(&plain), Some(plain.clone()));
        for text in [
            format!("1 aes_cm_128_hmac_sha1_80  INLINE:{KEY}|2^20"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1048576 WSH=64"),
            format!("001 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^48 -UNHEARD_OF=3"),
        ] {
            assert_eq!(parse(&text), Some(plain.clone()), "{text}");
        }
        // Base64 without its padding: 32 and 12 octets are 59 digits.
        let text = format!("7 AEAD_AES_256_GCM inline:{}", &"A".repeat(59));
        assert_eq!(parse(&text), Some(text));
    }

    #[test]
    fn an_attribute_that_asks_for_what_we_do_not_do_is_refused_as_a_whole() {
        for rest in [
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY}||"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY}|0"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^49"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTCP"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNAUTHENTICATED_SRTP"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY} FEC_ORDER=FEC_SRTP"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{KEY} WSH=63"),
            format!("AES_CM_128_HMAC_SHA1_80 uri:{KEY}"),
            format!("AES_CM_128_HMAC_SHA1_80 inline:{}", &KEY[..36]),
            format!("AEAD_AES_256_GCM inline:{KEY}"),
            format!("F8_128_HMAC_SHA1_80 inline:{KEY}"),
            "AES_CM_128_HMAC_SHA1_80".to_owned(),
        ] {
            assert_eq!(parse(&format!("1 {rest}")), None, "{rest}");
        }
        for tag in ["", "x", "-1", "1234567890"] {
            assert_eq!(
                parse(&format!("{tag} AES_CM_128_HMAC_SHA1_80 inline:{KEY}")),
                None,
                "{tag}"
            );
        }
    }

    #[test]
    fn keys_are_fresh_and_are_not_shown() {
        let mut rng = Rng::seeded(1);
        let offered = Crypto::offered(&mut rng);
        assert_eq!(offered.len(), 3);
        assert_ne!(offered, Crypto::offered(&mut rng));
        for crypto in offered {
            assert_eq!(Crypto::parse(&crypto.value()), Some(crypto.clone()));
            let shown = format!("{crypto:?}");
            assert!(
                !shown.contains(&crypto.inline) && shown.contains("suite"),
                "{shown}"
            );
        }
    }
}
