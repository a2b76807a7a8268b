//! The forks of an INVITE of ours. A proxy may let it ring several peers: each answers our offer for itself,
//! in a dialog of its own (RFC 3261 §13.2.2.4), and one of them picks up in the end.

use media_core::negotiated::Negotiated;
use media_core::sdp::{Negotiator, SdpError};
use sip_core::endpoint::ForkId;

/// Agreement with each fork, as long as none of them has the call. As many as the SIP machine tells apart.
#[derive(Debug, Default)]
pub(crate) struct Forks {
    /// State before any fork answered.
    offered: Option<Negotiator>,
    agreed: Vec<Agreed>,
    /// Media of the fork that is heard.
    current: Option<Box<Negotiated>>,
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

    /// Media of the fork that is heard.
    pub(crate) fn current(&self) -> Option<&Negotiated> {
        self.current.as_deref()
    }

    pub(crate) fn set_current(&mut self, negotiated: Box<Negotiated>) {
        self.current = Some(negotiated);
    }

    /// True if the fork sent this answer before.
    pub(crate) fn repeats(&self, fork: Option<ForkId>, answer: &[u8]) -> bool {
        self.of(fork).is_some_and(|agreed| agreed.answer == answer)
    }

    /// True if the fork has agreed on a session.
    pub(crate) fn has(&self, fork: Option<ForkId>) -> bool {
        self.of(fork).is_some()
    }

    /// Takes a fork's answer to our offer: `negotiator` is that fork's from now on.
    ///
    /// # Errors
    /// The answer cannot be used; nothing has changed.
    pub(crate) fn answered(
        &mut self,
        negotiator: &mut Negotiator,
        fork: Option<ForkId>,
        answer: &[u8],
    ) -> Result<Negotiated, SdpError> {
        let before = match self.of(fork) {
            Some(agreed) => agreed.negotiator.clone(),
            None => self.offered.get_or_insert_with(|| negotiator.clone()).clone(),
        };
        let mut of_fork = before;
        let negotiated = of_fork.handle_answer(answer)?;
        *negotiator = of_fork;
        self.agreed(negotiator, fork, answer, &negotiated);
        Ok(negotiated)
    }

    /// Makes `negotiator` that of a fork, or of responses without a fork's name. `None` if neither agreed on a session.
    pub(crate) fn adopt(&self, negotiator: &mut Negotiator, fork: ForkId) -> Option<Negotiated> {
        let agreed = self.of(Some(fork)).or_else(|| self.of(None))?;
        *negotiator = agreed.negotiator.clone();
        Some(agreed.negotiated.clone())
    }

    /// Keeps the session of a fork.
    pub(crate) fn agreed(
        &mut self,
        negotiator: &Negotiator,
        fork: Option<ForkId>,
        description: &[u8],
        negotiated: &Negotiated,
    ) {
        self.agreed.retain(|before| before.fork != fork);
        self.agreed.push(Agreed {
            fork,
            answer: description.to_vec(),
            negotiator: negotiator.clone(),
            negotiated: negotiated.clone(),
        });
    }
}
