//! Claims of a PASSporT (RFC 8225 §5): who calls, who is called, and when.

use serde::{Deserialize, Serialize};

/// Attestation of a signer (RFC 8588 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attestation {
    /// Full: the caller is known, and has the right to the number.
    A,
    /// Partial: the caller is known, not whether the number is theirs.
    B,
    /// Gateway: the call came in here, and no more is known.
    C,
}

/// Caller of a PASSporT (`orig`), or the number that a call was diverted from (`div`): a number or a URI.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Telephone number in canonical form (RFC 8224 §8.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tn: Option<String>,
    /// URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// Called parties of a PASSporT (`dest`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parties {
    /// Telephone numbers in canonical form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tn: Vec<String>,
    /// URIs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uri: Vec<String>,
}

/// Claims, in the order in which the canonical form has them (RFC 8225 §9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Attestation (RFC 8588 §4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attest: Option<Attestation>,
    /// Called parties.
    pub dest: Parties,
    /// Number or URI that the call was diverted from (RFC 8946 §3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub div: Option<Party>,
    /// Time of the signature, seconds since 1970.
    pub iat: u64,
    /// Caller.
    pub orig: Party,
    /// Identifier of the place where the call came in (RFC 8588 §5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origid: Option<String>,
}

/// Header of a PASSporT (RFC 8225 §4), in canonical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    /// Extensions of JWS that a reader must know (RFC 7515 §4.1.11): we know none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crit: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ppt: Option<String>,
    pub(super) typ: String,
    pub(super) x5u: String,
}

impl Party {
    /// True for exactly one of a number and a URI (RFC 8225 §5.2.1).
    pub(super) fn is_one(&self) -> bool {
        self.tn.is_some() != self.uri.is_some()
    }
}
