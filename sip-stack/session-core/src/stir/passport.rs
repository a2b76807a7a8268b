//! The `Identity` header (RFC 8224 §4) and the PASSporT in it (RFC 8225), a JSON web signature in compact serialisation.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sip_core::message::Token;

use super::claims::{Claims, Header};
use super::{CertificateUrl, Flaw};

/// The one algorithm of PASSporTs (RFC 8225 §4.1): ECDSA on P-256 with SHA-256.
const ALGORITHM: &str = "ES256";
/// Octets of its signature (RFC 7518 §3.4).
const SIGNATURE: usize = 64;

/// A PASSporT as it came, whose signature is still to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passport {
    /// Kind of PASSporT.
    pub kind: Kind,
    /// Address of the certificate.
    pub url: CertificateUrl,
    /// Claims.
    pub claims: Claims,
    /// Octets that are signed: header and claims in base64url, with a full stop between.
    pub signed: String,
    /// Signature: r and s, 32 octets each.
    pub signature: Vec<u8>,
}

/// Kind of PASSporT, by its extension (`ppt`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// None (RFC 8225).
    Plain,
    /// `shaken` (RFC 8588).
    Shaken,
    /// `div` (RFC 8946).
    Diverted,
}

/// Reason for which an `Identity` header has no PASSporT that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassportError {
    /// Kind that we do not know, and that says nothing to us (RFC 8224 §6.2 step 1).
    Unknown,
    /// Flaw in it.
    Flawed(Flaw),
}

impl fmt::Display for PassportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PassportError::Unknown => f.write_str("is of an unknown kind"),
            PassportError::Flawed(flaw) => flaw.fmt(f),
        }
    }
}

impl std::error::Error for PassportError {}

impl Kind {
    fn of(ppt: Option<&str>) -> Option<Kind> {
        match ppt {
            None => Some(Kind::Plain),
            Some("shaken") => Some(Kind::Shaken),
            Some("div") => Some(Kind::Diverted),
            Some(_) => None,
        }
    }

    const fn ppt(self) -> Option<&'static str> {
        match self {
            Kind::Plain => None,
            Kind::Shaken => Some("shaken"),
            Kind::Diverted => Some("div"),
        }
    }
}

impl Passport {
    /// Reads the value of an `Identity` header. `implied`: the claims that the request itself makes, which the compact form
    /// (RFC 8224 §4.1.1) leaves out; `None`: it has none, for want of a `Date` or of numbers.
    ///
    /// # Errors
    /// The kind is unknown, or the header is flawed.
    pub fn parse(value: &str, implied: Option<&Claims>) -> Result<Passport, PassportError> {
        const MALFORMED: PassportError = PassportError::Flawed(Flaw::Malformed);
        let header = Token::parse(value);
        let info = header
            .param("info")
            .map(|info| info.trim_start_matches('<').trim_end_matches('>'));
        let ppt = header.param("ppt");
        if header
            .param("alg")
            .is_some_and(|alg| !alg.eq_ignore_ascii_case(ALGORITHM))
        {
            return Err(PassportError::Flawed(Flaw::Algorithm));
        }
        if Kind::of(ppt).is_none() {
            return Err(PassportError::Unknown);
        }
        let info = info.ok_or(MALFORMED)?;
        let (signed, signature) = header.value.trim().rsplit_once('.').ok_or(MALFORMED)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| MALFORMED)?;
        let passport = match signed {
            "." => Passport::compact(info, ppt, implied.ok_or(MALFORMED)?)?,
            _ => Passport::full(signed)?,
        };
        if ppt.is_some_and(|ppt| passport.kind.ppt() != Some(ppt)) || signature.len() != SIGNATURE {
            return Err(MALFORMED);
        }
        if passport.url.as_str() != info {
            return Err(PassportError::Flawed(Flaw::Url));
        }
        Ok(Passport {
            signature,
            ..passport
        })
    }

    /// Token with header and claims.
    fn full(signed: &str) -> Result<Passport, PassportError> {
        const MALFORMED: PassportError = PassportError::Flawed(Flaw::Malformed);
        let (header, claims) = signed.split_once('.').ok_or(MALFORMED)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| MALFORMED);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| MALFORMED)?;
        if header.alg != ALGORITHM {
            return Err(PassportError::Flawed(Flaw::Algorithm));
        }
        if header.typ != "passport" || header.crit.is_some() {
            return Err(MALFORMED);
        }
        let kind = Kind::of(header.ppt.as_deref()).ok_or(PassportError::Unknown)?;
        let url = CertificateUrl::parse(&header.x5u).map_err(|_| PassportError::Flawed(Flaw::Url))?;
        let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| MALFORMED)?;
        let passport = Passport {
            kind,
            url,
            claims,
            signed: signed.to_owned(),
            signature: Vec::new(),
        };
        if passport.is_complete() {
            Ok(passport)
        } else {
            Err(MALFORMED)
        }
    }

    /// Token whose header and claims are made anew from the request, in canonical form (RFC 8225 §7, §9). The extensions that we know
    /// have claims that a request does not tell, and are never in this form.
    fn compact(info: &str, ppt: Option<&str>, implied: &Claims) -> Result<Passport, PassportError> {
        if ppt.is_some() {
            return Err(PassportError::Flawed(Flaw::Malformed));
        }
        let url = CertificateUrl::parse(info).map_err(|_| PassportError::Flawed(Flaw::Url))?;
        Ok(Passport {
            signed: Passport::to_sign(Kind::Plain, &url, implied),
            kind: Kind::Plain,
            url,
            claims: implied.clone(),
            signature: Vec::new(),
        })
    }

    /// True if all claims of its kind are there.
    fn is_complete(&self) -> bool {
        let Claims {
            attest,
            dest,
            div,
            orig,
            origid,
            ..
        } = &self.claims;
        let kind = match self.kind {
            Kind::Plain => true,
            // RFC 8588 §3: the caller is a number.
            Kind::Shaken => attest.is_some() && origid.is_some() && orig.tn.is_some(),
            Kind::Diverted => div.as_ref().is_some_and(super::Party::is_one),
        };
        kind && orig.is_one() && !(dest.tn.is_empty() && dest.uri.is_empty())
    }

    /// Octets to sign for a PASSporT with these claims, in canonical form.
    #[must_use]
    pub fn to_sign(kind: Kind, url: &CertificateUrl, claims: &Claims) -> String {
        let header = Header {
            alg: ALGORITHM.into(),
            crit: None,
            ppt: kind.ppt().map(str::to_owned),
            typ: "passport".into(),
            x5u: url.as_str().to_owned(),
        };
        // Neither has a map whose keys are not text: both are written.
        let header = serde_json::to_vec(&header).unwrap_or_default();
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        )
    }

    /// Value of an `Identity` header with this PASSporT in full form.
    #[must_use]
    pub fn header(&self) -> String {
        let signature = URL_SAFE_NO_PAD.encode(&self.signature);
        let ppt = self
            .kind
            .ppt()
            .map_or_else(String::new, |ppt| format!(";ppt=\"{ppt}\""));
        format!(
            "{}.{signature};info=<{}>;alg={ALGORITHM}{ppt}",
            self.signed,
            self.url.as_str()
        )
    }
}
