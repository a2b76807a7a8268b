//! Supervisors in a call: their phones ring, they listen, whisper to the agent, or talk with all.

use std::collections::BTreeMap;

use session_core::{LegId, Role};

use super::super::view::Mode;

/// Supervisors of a call, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::centre) struct Supervisors(BTreeMap<String, Supervisor>);

/// A supervisor, and the way in which the supervisor takes part, or will.
#[derive(Debug, PartialEq, Eq)]
struct Supervisor {
    mode: Mode,
    phone: Phone,
}

/// Progress of a supervisor's phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phone {
    Ringing(LegId),
    Joined(LegId),
}

impl Phone {
    fn leg(self) -> LegId {
        match self {
            Phone::Ringing(leg) | Phone::Joined(leg) => leg,
        }
    }
}

impl Supervisors {
    /// Sets the mode of a supervisor; false if the supervisor is not here.
    pub(in crate::centre) fn set_mode(&mut self, name: &str, mode: Mode) -> bool {
        let supervisor = self.0.get_mut(name);
        let is_here = supervisor.is_some();
        if let Some(supervisor) = supervisor {
            supervisor.mode = mode;
        }
        is_here
    }

    /// The phone of a supervisor rings.
    pub(in crate::centre) fn ring(&mut self, name: String, mode: Mode, invitation: LegId) {
        let phone = Phone::Ringing(invitation);
        self.0.insert(name, Supervisor { mode, phone });
    }

    /// The phone of a supervisor was answered by this leg; false if it did not ring.
    pub(in crate::centre) fn join(&mut self, name: &str, leg: LegId) -> bool {
        let supervisor = self.0.get_mut(name);
        let is_here = supervisor.is_some();
        if let Some(supervisor) = supervisor {
            supervisor.phone = Phone::Joined(leg);
        }
        is_here
    }

    /// A supervisor is out of the call. Returns the leg or the invitation.
    pub(in crate::centre) fn remove(&mut self, name: &str) -> Option<LegId> {
        self.0.remove(name).map(|supervisor| supervisor.phone.leg())
    }

    /// Leg or invitation of a supervisor.
    pub(super) fn leg(&self, name: &str) -> Option<LegId> {
        self.0.get(name).map(|supervisor| supervisor.phone.leg())
    }

    /// Supervisors who take part, and how.
    pub(in crate::centre) fn joined(&self) -> impl Iterator<Item = (&str, Mode)> {
        self.0
            .iter()
            .filter(|(_, supervisor)| matches!(supervisor.phone, Phone::Joined(_)))
            .map(|(name, supervisor)| (name.as_str(), supervisor.mode))
    }

    /// Roles in the bridge of those who take part; one who whispers, whispers to the leg of the agent.
    pub(in crate::centre) fn roles(&self, agent: Option<LegId>) -> impl Iterator<Item = (LegId, Role)> {
        self.0.values().filter_map(move |supervisor| {
            let Phone::Joined(leg) = supervisor.phone else {
                return None;
            };
            let role = match (supervisor.mode, agent) {
                (Mode::Party, _) => Role::Party,
                (Mode::Whisper, Some(agent)) => Role::Coach(agent),
                (Mode::Whisper | Mode::Listen, _) => Role::Listener,
            };
            Some((leg, role))
        })
    }
}
