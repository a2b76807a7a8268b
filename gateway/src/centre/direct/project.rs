//! Direct calls as pages see them.

use sans_io::Time;
use session_core::{CallSession, CallState, LegInfo};

use super::super::directory::Directory;
use super::super::ids;
use super::super::view::{Call, CallLeg, CallPhase, LegState, Mode, Moment, Participant, ParticipantKind};
use super::DirectCall;

impl DirectCall {
    /// The call as pages see it now. `live` is its session, with these legs.
    pub(super) fn project(
        &self,
        now: Time,
        live: &CallSession,
        legs: &[LegInfo],
        directory: &Directory,
    ) -> Call {
        let legs: Vec<CallLeg> = legs
            .iter()
            .map(|leg| CallLeg::new(leg, directory.user_name(leg.user.as_deref())))
            .collect();
        let is_away = legs.iter().any(|leg| leg.state == LegState::Away);
        let phase = match live.state {
            _ if is_away => CallPhase::Away,
            CallState::Initiating => CallPhase::Connecting,
            CallState::Ringing => CallPhase::Ringing,
            CallState::Active | CallState::Ending => CallPhase::Talking,
            CallState::OnHold => CallPhase::Held,
        };
        let before = self.published.as_ref();
        Call {
            id: ids::call(self.id),
            kind: self.kind,
            queue: None,
            from: self.from.clone(),
            to: self.to.clone(),
            priority: 0,
            state: phase,
            since: match before {
                Some(call) if call.state == phase => call.since,
                _ => Moment(now),
            },
            entered_at: Moment(self.entered),
            answered_at: live.answered_at.map(Moment),
            position: None,
            agent: None,
            agents: Vec::new(),
            parties: self.parties(&legs),
            legs,
            joined: Vec::new(),
            transferred_by: None,
            notes: Vec::new(),
            disposition: None,
            consult: None,
            parked: self.parked.clone(),
        }
    }

    /// The caller, and everybody who is called or talks.
    fn parties(&self, legs: &[CallLeg]) -> Vec<Participant> {
        let caller = match self.from.display.as_str() {
            "" => &self.from.number,
            display => display,
        };
        let mut parties = vec![Participant {
            kind: ParticipantKind::Caller,
            name: caller.to_owned(),
            mode: Mode::Party,
        }];
        for leg in legs.iter().skip(1) {
            let name = leg.user.as_ref().map_or(&leg.number, |user| &user.name);
            if parties.iter().skip(1).all(|party| party.name != *name) {
                parties.push(Participant {
                    kind: ParticipantKind::Other,
                    name: name.clone(),
                    mode: leg.mode,
                });
            }
        }
        parties
    }
}
