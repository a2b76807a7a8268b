//! Signed callers (STIR/SHAKEN): the PASSporT of a call says who calls whom, and the key of a certificate signs it (RFC 8224, RFC 8225,
//! RFC 8588). `passport` reads it, `certificate` finds out whether its certificate may speak for the number, `check` compares it with
//! the call, and `coordinator` lets a call wait for a certificate that is not at hand.

mod authority;
mod cache;
mod certificate;
mod check;
mod claims;
mod coordinator;
mod der;
mod number;
mod passport;
mod replay;
mod settings;
mod sign;
mod url;
mod verdict;

pub use authority::{Authority, Entry};
pub(crate) use cache::Certificates;
pub use cache::{FetchError, Fetched};
pub use certificate::{AnchorError, Anchors};
pub use claims::{Attestation, Claims, Parties, Party};
pub(crate) use coordinator::Stir;
pub use number::Numbers;
pub use passport::{Kind, Passport, PassportError};
pub(crate) use replay::Replays;
pub use settings::{StirSettings, Verification};
pub(crate) use sign::Grounds;
pub use sign::{NotNumbers, NumberPattern, Signer, Signing};
pub use url::{CertificateUrl, UrlError};
pub use verdict::{Flaw, Hindrance, Verdict, Verified};
