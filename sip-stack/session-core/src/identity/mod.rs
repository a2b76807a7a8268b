//! Identity of a caller: who calls as far as we know, who is shown, what is kept private, and by whom a call was diverted before it
//! came to us. `caller` reads it from an INVITE, `presentation` writes it into ours, by the trust in each trunk (`policy`).

mod caller;
mod diversion;
mod policy;
mod presentation;
mod privacy;
mod user_to_user;

pub(crate) use caller::{Sender, anonymous, claimed_user, is_anonymous, read};
pub(crate) use diversion::diversions;
pub use diversion::{Diversion, DiversionReason};
pub use policy::{AssertedIn, DiversionIn, IdentityPolicy};
pub(crate) use presentation::{Presentation, Side};
pub use privacy::Privacy;
pub use user_to_user::UserToUser;

use crate::dial::Caller;
use crate::numbers::TrunkNumbers;
use crate::stir::Verdict;

/// Identity that a call carries beside the caller as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Caller as somebody vouches for it, shown or not: a trusted trunk, or our directory for a user. `None`: nobody does.
    pub asserted: Option<Caller>,
    /// Wish of the caller to stay unknown.
    pub privacy: Privacy,
    /// Parties that the call was diverted by before, the last one first.
    pub diversions: Vec<Diversion>,
    /// Data of the caller's program for the callee's.
    pub user_to_user: UserToUser,
    /// Number that is charged for the call, as a trusted trunk says.
    pub charged: Option<String>,
    /// Verdict on the signature of the caller; `None`: none was asked for, or it is not known yet.
    pub verdict: Option<Verdict>,
    /// Signatures that the call came with, if the verdict is good.
    pub signatures: Vec<String>,
}

impl Identity {
    /// Identity of a call that we make ourselves.
    pub(crate) fn ours(caller: &Caller) -> Identity {
        Identity {
            asserted: Some(caller.clone()),
            ..Identity::default()
        }
    }

    /// Numbers as they came from a trunk, in E.164.
    pub(crate) fn read_numbers(&mut self, numbers: &TrunkNumbers) {
        let diverted = self.diversions.iter_mut().map(|diversion| &mut diversion.by);
        for party in self.asserted.iter_mut().chain(diverted) {
            party.user = numbers.read(&party.user).into_owned();
        }
    }

    /// Notes that the call is diverted once more.
    pub(crate) fn divert(&mut self, diversion: Diversion) {
        self.diversions.insert(0, diversion);
        self.diversions.truncate(diversion::MOST);
    }
}
