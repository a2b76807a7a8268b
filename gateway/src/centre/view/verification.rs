//! Verdict on the caller of a call, as pages and programs see it.

use serde::{Deserialize, Serialize};
use session_core::stir;
use utoipa::ToSchema;

/// Verdict on the signature of a caller (STIR/SHAKEN).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallerVerdict {
    /// Somebody trusted signed that this caller calls this number.
    Verified,
    /// Something was signed, and is not true of this call.
    Failed,
    /// Nothing was signed.
    Absent,
    /// Whether the signature is good could not be found out, or not yet.
    Unavailable,
}

/// Attestation of a signer (RFC 8588).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Attestation {
    /// Full: the caller has the right to the number.
    A,
    /// Partial: the caller is known, not whether the number is theirs.
    B,
    /// Gateway: no more is known than where the call came in.
    C,
}

/// Verdict on the right of a caller to the number that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallerVerification {
    /// The verdict.
    pub verdict: CallerVerdict,
    /// Attestation, if the signature is good and makes one.
    pub attestation: Option<Attestation>,
    /// Reason in words, unless the signature is good.
    pub reason: Option<String>,
    /// Service provider codes of the signer, if the signature is good.
    pub signer: Vec<String>,
}

impl CallerVerdict {
    /// The word for it in logs and metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            CallerVerdict::Verified => "verified",
            CallerVerdict::Failed => "failed",
            CallerVerdict::Absent => "absent",
            CallerVerdict::Unavailable => "unavailable",
        }
    }
}

impl Attestation {
    /// The letter.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Attestation::A => "A",
            Attestation::B => "B",
            Attestation::C => "C",
        }
    }
}

impl From<stir::Attestation> for Attestation {
    fn from(attestation: stir::Attestation) -> Attestation {
        match attestation {
            stir::Attestation::A => Attestation::A,
            stir::Attestation::B => Attestation::B,
            stir::Attestation::C => Attestation::C,
        }
    }
}

impl From<&stir::Verdict> for CallerVerification {
    fn from(verdict: &stir::Verdict) -> CallerVerification {
        let without = |verdict, reason: Option<String>| CallerVerification {
            verdict,
            attestation: None,
            reason,
            signer: Vec::new(),
        };
        match verdict {
            stir::Verdict::Verified(verified) => CallerVerification {
                verdict: CallerVerdict::Verified,
                attestation: verified.attestation.map(Attestation::from),
                reason: None,
                signer: verified.signer.clone(),
            },
            stir::Verdict::Failed(flaw) => without(CallerVerdict::Failed, Some(flaw.to_string())),
            stir::Verdict::Absent => {
                without(CallerVerdict::Absent, Some("the call is not signed".to_owned()))
            }
            stir::Verdict::Unavailable(why) => without(CallerVerdict::Unavailable, Some(why.to_string())),
        }
    }
}
