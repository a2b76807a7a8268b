//! The forks of an INVITE of ours. A proxy may let it ring several peers: each answers our offer for itself,
//! in a dialog of its own (RFC 3261 §13.2.2.4), and one of them picks up in the end.

use media_core::negotiated::Negotiated;
use media_core::sdp::{Negotiator, SdpError};
use sip_core::endpoint::ForkId;

use crate::leg::Leg;

/// Agreement with each fork, as long as none of them has the call. As many as the SIP machine tells apart.
#[derive(Debug, Default)]
pub(crate) struct Forks {
    /// State before any fork answered.
    offered: Option<Negotiator>,
    agreed: Vec<Agreed>,
}

/// The session of one fork.
#[derive(Debug)]
struct Agreed {
    /// `None`: from responses without a tag.
    fork: Option<ForkId>,
    /// Its last description, octet for octet.
    answer: Vec<u8>,
    negotiator: Negotiator,
    negotiated: Negotiated,
}

impl Forks {
    fn of(&self, fork: Option<ForkId>) -> Option<&Agreed> {
        self.agreed.iter().find(|agreed| agreed.fork == fork)
    }

    /// True if the fork sent this answer before.
    pub(crate) fn repeats(&self, fork: Option<ForkId>, answer: &[u8]) -> bool {
        self.of(fork).is_some_and(|agreed| agreed.answer == answer)
    }

    /// True if the fork has agreed on a session.
    pub(crate) fn has(&self, fork: Option<ForkId>) -> bool {
        self.of(fork).is_some()
    }

    fn keep(&mut self, agreed: Agreed) {
        self.agreed.retain(|before| before.fork != agreed.fork);
        self.agreed.push(agreed);
    }
}

impl Leg {
    /// Takes a fork's answer to our offer: the leg's session is that fork's from now on.
    ///
    /// # Errors
    /// The answer cannot be used; nothing has changed.
    pub(crate) fn fork_answered(
        &mut self,
        fork: Option<ForkId>,
        answer: &[u8],
    ) -> Result<Negotiated, SdpError> {
        let before = match self.forks.of(fork) {
            Some(agreed) => &agreed.negotiator,
            None => self.forks.offered.get_or_insert_with(|| self.negotiator.clone()),
        };
        let mut negotiator = before.clone();
        let negotiated = negotiator.handle_answer(answer)?;
        self.negotiator = negotiator;
        self.fork_agreed(fork, answer, &negotiated);
        Ok(negotiated)
    }

    /// Makes the leg's session the one that a fork agreed on, or one without a fork's name. `None` if there
    /// is neither.
    pub(crate) fn adopt_fork(&mut self, fork: ForkId) -> Option<Negotiated> {
        let agreed = self.forks.of(Some(fork)).or_else(|| self.forks.of(None))?;
        self.negotiator = agreed.negotiator.clone();
        Some(agreed.negotiated.clone())
    }

    /// Keeps the leg's session as that of a fork.
    pub(crate) fn fork_agreed(&mut self, fork: Option<ForkId>, description: &[u8], negotiated: &Negotiated) {
        self.forks.keep(Agreed {
            fork,
            answer: description.to_vec(),
            negotiator: self.negotiator.clone(),
            negotiated: negotiated.clone(),
        });
    }
}
