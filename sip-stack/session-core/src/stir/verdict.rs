//! Verdicts on the caller that a call shows.

use std::fmt;

use sip_core::message::StatusCode;

use super::Attestation;

/// Verdict on the caller of an INVITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody whom we trust signed that this caller calls this number.
    Verified(Verified),
    /// Something was signed, and is not true of this call.
    Failed(Flaw),
    /// Nothing was signed, or nothing of a kind that we know.
    Absent,
    /// Whether the signature is good could not be found out.
    Unavailable(Hindrance),
}

/// Details of a signature that is good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Attestation of the signer; `None`: the signature makes none (RFC 8225 without RFC 8588).
    pub attestation: Option<Attestation>,
    /// Identifier of the place where the call entered the signer's network (`origid`, RFC 8588 §5).
    pub origin: Option<String>,
    /// Service provider codes of the signer's certificate (RFC 8226 §9).
    pub signer: Vec<String>,
    /// True if the call was signed for another number and diverted to ours (RFC 8946).
    pub diverted: bool,
}

/// Flaw of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The header or the token is malformed.
    Malformed,
    /// The signature is not of this content and key.
    Signature,
    /// The algorithm is not ES256.
    Algorithm,
    /// Another caller was signed.
    Caller,
    /// Another called number was signed.
    Callee,
    /// The signature is older than 60 s, or of the future.
    Stale,
    /// The signature came with another call before.
    Replayed,
    /// The certificate's address is not one of HTTPS, or the two that are given differ.
    Url,
    /// No authority that we trust issued the certificate.
    Untrusted,
    /// The certificate has expired, or is not valid yet.
    Expired,
    /// The certificate was revoked.
    Revoked,
    /// The certificate does not cover the caller's number.
    Number,
}

impl Flaw {
    /// Status that refuses a call with it (RFC 8224 §6.2.2).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Flaw::Malformed | Flaw::Signature | Flaw::Caller | Flaw::Callee => {
                StatusCode::INVALID_IDENTITY_HEADER
            }
            Flaw::Stale | Flaw::Replayed => StatusCode::FORBIDDEN,
            Flaw::Url => StatusCode::BAD_IDENTITY_INFO,
            Flaw::Algorithm | Flaw::Untrusted | Flaw::Expired | Flaw::Revoked | Flaw::Number => {
                StatusCode::UNSUPPORTED_CREDENTIAL
            }
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flaw::Malformed => "the signed identity is malformed",
            Flaw::Signature => "the signature is wrong",
            Flaw::Algorithm => "the signature's algorithm is unknown",
            Flaw::Caller => "the signature is for another caller",
            Flaw::Callee => "the signature is for another called number",
            Flaw::Stale => "the signature is not fresh",
            Flaw::Replayed => "the signature was used before",
            Flaw::Url => "the certificate's address is not acceptable",
            Flaw::Untrusted => "the certificate is not from a trusted authority",
            Flaw::Expired => "the certificate is not valid now",
            Flaw::Revoked => "the certificate was revoked",
            Flaw::Number => "the certificate is not for the caller's number",
        })
    }
}

/// Obstacle to a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The certificate has not come in time.
    Slow,
    /// The certificate could not be fetched.
    Unreachable,
    /// There is no certificate at its address.
    NotCertificate,
    /// No authority is configured.
    NoAuthorities,
    /// Too many certificates are being fetched.
    Busy,
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hindrance::Slow => "the certificate did not come in time",
            Hindrance::Unreachable => "the certificate could not be fetched",
            Hindrance::NotCertificate => "there is no certificate at its address",
            Hindrance::NoAuthorities => "no certificate authority is configured",
            Hindrance::Busy => "too many certificates are being fetched",
        })
    }
}

impl Verdict {
    /// Status that refuses the call where a good signature is required (RFC 8224 §6.2.2); `None`: it is good.
    #[must_use]
    pub const fn refusal(&self) -> Option<StatusCode> {
        match self {
            Verdict::Verified(_) => None,
            Verdict::Failed(flaw) => Some(flaw.status()),
            Verdict::Absent => Some(StatusCode::USE_IDENTITY_HEADER),
            Verdict::Unavailable(_) => Some(StatusCode::BAD_IDENTITY_INFO),
        }
    }

    /// Value of `verstat` for phones (ATIS-1000074 §5.3.3, 3GPP TS 24.229 §7.2A.20).
    #[must_use]
    pub const fn verstat(&self) -> &'static str {
        match self {
            Verdict::Verified(_) => "TN-Validation-Passed",
            Verdict::Failed(_) => "TN-Validation-Failed",
            Verdict::Absent | Verdict::Unavailable(_) => "No-TN-Validation",
        }
    }

    /// Rank among verdicts on several signatures of one call: that of the lower one counts.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Verdict::Verified(Verified {
                attestation: Some(_), ..
            }) => 0,
            Verdict::Verified(_) => 1,
            Verdict::Failed(_) => 2,
            Verdict::Unavailable(_) => 3,
            Verdict::Absent => 4,
        }
    }
}
