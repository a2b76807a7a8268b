//! Records of direct calls.

use call_engine::acd::{AgentId, CallId};
use session_core::{CallRecord, Cause};

use super::super::directory::Directory;
use super::super::history;
use super::super::ids;
use super::super::view::{Call, Mode, Moment, Mos, Outcome, Record, RecordForwarding, RecordLeg};
use super::DirectCall;
use crate::call_log::{hung_up_by, reason};

impl DirectCall {
    /// Record of the call, which is over.
    pub(super) fn into_record(self, call: &CallRecord, directory: &Directory) -> Record {
        let legs = history::legs(directory, call);
        let agents = self.agents(call, directory);
        let outcome = match (call.answered, call.cause) {
            (Some(_), _) => Outcome::Completed,
            (None, Cause::Caller) => Outcome::Abandoned,
            (None, _) => history::outcome_of(call.code),
        };
        let times = (call.began, call.answered, call.ended);
        let parties = (self.from, self.to);
        Record {
            id: ids::direct_record(self.id),
            call: ids::call(self.id),
            outcome,
            forwarded: call.forwarded.iter().map(RecordForwarding::from).collect(),
            mos: mos(&legs, |leg| leg.mode == Mode::Party),
            code: Some(call.code.get()),
            reason: Some(reason(call)),
            hung_up_by: hung_up_by(call),
            legs,
            ..history::record(directory, self.kind.into(), parties, times, agents)
        }
    }

    /// Agents at both ends, and those who answered.
    fn agents(&self, call: &CallRecord, directory: &Directory) -> Vec<AgentId> {
        let users = [self.users.caller.as_deref(), self.users.called.as_deref()];
        let answered = call.legs.iter().filter(|leg| leg.answered.is_some());
        let mut agents: Vec<AgentId> = Vec::new();
        for user in users
            .into_iter()
            .chain(answered.map(|leg| leg.user.as_deref()))
            .flatten()
        {
            if let Some(agent) = directory.agent_of(user)
                && !agents.contains(&agent)
            {
                agents.push(agent);
            }
        }
        agents
    }
}

/// Record of a direct call that was live when the gateway stopped, as it was published last.
pub(in crate::centre) fn lost(call: Call, at: Moment) -> Record {
    let number = ids::read_call(&call.id).unwrap_or(CallId(0));
    let seconds = |from: Moment, to: Moment| to.0.since(from.0).as_secs_f64();
    Record {
        id: ids::direct_record(number),
        call: call.id,
        kind: call.kind.into(),
        queue: None,
        queue_name: String::new(),
        from: call.from,
        to: call.to,
        forwarded: Vec::new(),
        entered_at: call.entered_at,
        answered_at: call.answered_at,
        ended_at: at,
        outcome: Outcome::Lost,
        waited_s: seconds(call.entered_at, call.answered_at.unwrap_or(at)),
        talked_s: call.answered_at.map_or(0.0, |answered| seconds(answered, at)),
        held_s: 0.0,
        agents: Vec::new(),
        disposition: None,
        notes: None,
        notes_by: Vec::new(),
        mos: Mos::default(),
        code: None,
        reason: Some("the gateway stopped".to_owned()),
        hung_up_by: None,
        legs: call.legs.into_iter().map(RecordLeg::lost).collect(),
    }
}

/// Sound quality of the first leg, which is the caller's, and of the last other one that had any and `is_agents`.
pub(in crate::centre) fn mos(legs: &[RecordLeg], is_agents: impl Fn(&RecordLeg) -> bool) -> Mos {
    let of = |leg: &RecordLeg| leg.media.as_ref().and_then(|media| media.mos);
    let mut legs = legs.iter();
    Mos {
        caller: legs.next().and_then(of),
        agent: legs.filter(|leg| is_agents(leg)).filter_map(of).next_back(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::view::AgentName;
    use super::super::super::view::{LegDirection, LegMedia};
    use super::*;

    fn leg(user: &str, mode: Mode, mos: f32) -> RecordLeg {
        RecordLeg {
            number: user.into(),
            user: Some(AgentName {
                id: format!("usr_{user}"),
                name: user.into(),
            }),
            trunk: None,
            direction: LegDirection::Outgoing,
            browser: true,
            mode,
            call_id: String::new(),
            began_at: None,
            answered_at: None,
            end: None,
            media: Some(LegMedia {
                codec_received: "opus".into(),
                codec_sent: "opus".into(),
                packets_received: 50,
                packets_sent: 50,
                lost: 0,
                loss_percent: 0.0,
                remote_loss_percent: 0.0,
                jitter_ms: 0.0,
                round_trip_ms: 0.0,
                mos: Some(mos),
            }),
        }
    }

    #[test]
    fn the_sound_of_an_agent_is_not_that_of_who_came_later() {
        let legs = [
            leg("caller", Mode::Party, 4.0),
            leg("anna", Mode::Party, 3.0),
            leg("ben", Mode::Party, 2.0),
            leg("sue", Mode::Listen, 1.0),
        ];
        let annas = |leg: &RecordLeg| leg.number == "anna";
        let sound = mos(&legs, annas);
        assert_eq!((sound.caller, sound.agent), (Some(4.0), Some(3.0)));
        let parties = mos(&legs, |leg| leg.mode == Mode::Party);
        assert_eq!(parties.agent, Some(2.0));
    }
}
