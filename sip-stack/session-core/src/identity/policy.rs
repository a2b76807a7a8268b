//! What of a caller's identity a trunk is given, and in which header.

/// Rules for a trunk. The default: it gets the caller in `From`, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityPolicy {
    /// Headers that name the caller beside `From`, be it private or not: a private one comes with `Privacy: id`.
    pub asserted_in: Vec<AssertedIn>,
    /// Headers that name those who diverted the call.
    pub diversion_in: DiversionIn,
    /// True if `User-to-User` goes to it, and is taken from it.
    pub user_to_user: bool,
    /// Number that calls to it are charged to, in `P-Charge-Info` (RFC 8496); `None`: the one that a trusted trunk named, if it did.
    pub charge: Option<String>,
}

/// Header that names a caller beside `From`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertedIn {
    /// `P-Asserted-Identity`: among networks that trust each other (RFC 3325 §9.1).
    PAssertedIdentity,
    /// `P-Preferred-Identity`: from a customer to its carrier, which checks it (RFC 3325 §9.2).
    PPreferredIdentity,
    /// `Remote-Party-ID`: before RFC 3325 (draft-ietf-sip-privacy-04).
    RemotePartyId,
}

/// Headers that name those who diverted a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiversionIn {
    /// None.
    #[default]
    Neither,
    /// `Diversion` (RFC 5806).
    Diversion,
    /// `History-Info` (RFC 7044).
    HistoryInfo,
    /// Both of them, as RFC 7544 translates one into the other.
    Both,
}
