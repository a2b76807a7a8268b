//! Direct calls, which came through no queue: live for pages and programs, and recorded when they are over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use call_engine::acd::{AgentId, CallId};
use sans_io::{Deadline, Time};
use session_core::{CallRecord, CallSession, CallState, Cause, IncomingCall, LegInfo, SessionId, Source};

use super::context::Ctx;
use super::controller::Controller;
use super::history::outcome_of;
use super::ids;
use super::view::{
    AgentName, Call, CallKind, CallLeg, CallPhase, Change, LegState, Mode, Moment, Mos, Outcome, Participant,
    ParticipantKind, Party, Record, RecordLeg,
};
use crate::call_log::{hung_up_by, reason};

/// Time for which changes of direct calls are gathered: a call that rings, is answered and bridged at once is published once.
const GATHER: Duration = Duration::from_millis(30);

/// Direct calls that are live.
#[derive(Debug, Default)]
pub(super) struct DirectCalls {
    calls: BTreeMap<SessionId, DirectCall>,
    /// Calls about which something may be new.
    changed: BTreeSet<SessionId>,
    /// Time at which they are published.
    due: Option<Time>,
}

/// Facts about a call as it arrived.
#[derive(Debug)]
struct DirectCall {
    id: CallId,
    kind: CallKind,
    from: Party,
    /// User, number or name that was dialled.
    to: String,
    /// Users of the gateway at both ends.
    users: Ends,
    entered: Time,
    /// The call as it was published last.
    published: Option<Call>,
}

/// Users who call and are called.
#[derive(Clone, Debug, Default)]
struct Ends {
    caller: Option<String>,
    called: Option<String>,
}

/// A call that the dial plan leads to no queue.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// Its session.
    pub session: SessionId,
    /// Caller and number.
    pub call: &'a IncomingCall,
    /// Kind of call.
    pub kind: CallKind,
    /// User that it is for.
    pub called: Option<String>,
}

impl DirectCalls {
    /// Time at which changes are published.
    pub(super) fn deadline(&self) -> Deadline {
        self.due.map(|due| (due, "direct calls"))
    }

    /// Marks a call as one about which something may be new.
    pub(super) fn changed(&mut self, now: Time, session: SessionId) {
        if self.calls.contains_key(&session) && self.changed.insert(session) {
            self.due.get_or_insert(now + GATHER);
        }
    }

    /// Calls to look at now.
    fn take_due(&mut self, now: Time) -> BTreeSet<SessionId> {
        match self.due {
            Some(due) if due <= now => {
                self.due = None;
                std::mem::take(&mut self.changed)
            }
            _ => BTreeSet::new(),
        }
    }

    /// Forgets a call that a queue takes; returns its id, which the queue's call keeps.
    pub(super) fn hand_over(&mut self, session: SessionId) -> Option<CallId> {
        self.calls.remove(&session).map(|call| call.id)
    }

    /// Session of the call with this id.
    pub(super) fn session_of(&self, id: CallId) -> Option<SessionId> {
        let mut calls = self.calls.iter();
        calls.find(|(_, call)| call.id == id).map(|(session, _)| *session)
    }

    fn id_of(&self, session: SessionId) -> Option<CallId> {
        self.calls.get(&session).map(|call| call.id)
    }
}

impl Controller {
    /// Takes note of a call that came through no queue. One that a queue took meanwhile is that queue's.
    pub fn arrived(&mut self, arrived: Arrived<'_>, cx: &Ctx<'_>) {
        let Arrived {
            session,
            call,
            kind,
            called,
        } = arrived;
        if self.legs.call_of_session(session).is_some() {
            return;
        }
        let caller = match &call.source {
            Source::User(user) => Some(user.clone()),
            Source::Trunk(_) | Source::Anyone => None,
        };
        let person = caller.as_ref().and_then(|name| self.directory.person(name));
        let from = Party {
            number: caller.clone().unwrap_or_else(|| call.from.clone()),
            display: person.map_or_else(|| call.display.clone(), |person| person.display.clone()),
        };
        let direct = DirectCall {
            id: self.next_call(cx.now),
            kind,
            from,
            to: called.clone().unwrap_or_else(|| call.to.clone()),
            users: Ends { caller, called },
            entered: cx.now,
            published: None,
        };
        self.direct.calls.insert(session, direct);
        self.direct.changed(cx.now, session);
    }

    /// Publishes the direct calls that changed, once it is time.
    pub(super) fn publish_direct(&mut self, cx: &Ctx<'_>) {
        for session in self.direct.take_due(cx.now) {
            self.publish_direct_call(session, cx);
        }
    }

    /// Publishes a direct call if anything about it or its legs is new.
    fn publish_direct_call(&mut self, session: SessionId, cx: &Ctx<'_>) {
        let Some(direct) = self.direct.calls.get(&session) else {
            return;
        };
        let live = cx.coordinator.find_session(session);
        let Some(live) = live.filter(|live| live.state != CallState::Ending) else {
            return;
        };
        let legs = cx.coordinator.legs_in(session);
        let call = self.project_direct(cx.now, direct, &live, &legs);
        if direct.published.as_ref() == Some(&call) {
            return;
        }
        self.publisher.change(cx.now, Change::Call(call.clone()));
        if let Some(direct) = self.direct.calls.get_mut(&session) {
            direct.published = Some(call);
        }
    }

    fn project_direct(&self, now: Time, direct: &DirectCall, live: &CallSession, legs: &[LegInfo]) -> Call {
        let legs: Vec<CallLeg> = legs
            .iter()
            .map(|leg| CallLeg::new(leg, self.named(leg.user.as_deref())))
            .collect();
        let is_away = legs.iter().any(|leg| leg.state == LegState::Away);
        let phase = match live.state {
            _ if is_away => CallPhase::Away,
            CallState::Initiating => CallPhase::Connecting,
            CallState::Ringing => CallPhase::Ringing,
            CallState::Active | CallState::Ending => CallPhase::Talking,
            CallState::OnHold => CallPhase::Held,
        };
        let before = direct.published.as_ref();
        Call {
            id: ids::call(direct.id),
            kind: direct.kind,
            queue: None,
            from: direct.from.clone(),
            to: direct.to.clone(),
            priority: 0,
            state: phase,
            since: match before {
                Some(call) if call.state == phase => call.since,
                _ => Moment(now),
            },
            entered_at: Moment(direct.entered),
            answered_at: live.answered_at.map(Moment),
            position: None,
            agent: None,
            agents: Vec::new(),
            parties: parties(direct, &legs),
            legs,
            joined: Vec::new(),
            transferred_by: None,
            notes: Vec::new(),
            disposition: None,
            consult: None,
        }
    }

    /// Records a direct call that is over.
    pub(super) fn direct_ended(&mut self, session: SessionId, call: &CallRecord, cx: &Ctx<'_>) {
        let Some(direct) = self.direct.calls.remove(&session) else {
            return;
        };
        let legs = self.record_legs(call);
        let users = [direct.users.caller.as_deref(), direct.users.called.as_deref()];
        let answered = call.legs.iter().filter(|leg| leg.answered.is_some());
        let mut agents: Vec<AgentId> = Vec::new();
        for user in users
            .into_iter()
            .chain(answered.map(|leg| leg.user.as_deref()))
            .flatten()
        {
            if let Some(agent) = self.directory.agent_of(user)
                && !agents.contains(&agent)
            {
                agents.push(agent);
            }
        }
        let outcome = match (call.answered, call.cause) {
            (Some(_), _) => Outcome::Completed,
            (None, Cause::Caller) => Outcome::Abandoned,
            (None, _) => outcome_of(call.code),
        };
        let times = (call.began, call.answered, call.ended);
        let record = Record {
            id: direct_record(direct.id),
            call: ids::call(direct.id),
            outcome,
            mos: mos(&legs, |leg| leg.mode == Mode::Party),
            code: Some(call.code.get()),
            reason: Some(reason(call)),
            hung_up_by: hung_up_by(call),
            legs,
            ..self.record_of(direct.kind.into(), (direct.from, direct.to), times, agents)
        };
        let ended = Change::CallEnded {
            id: ids::call(direct.id),
            record,
        };
        self.publisher.change(cx.now, ended);
    }

    /// A call went on in another one: it is no more, and its legs are in the other's record.
    pub(super) fn direct_joined(&mut self, guest: SessionId, into: SessionId, cx: &Ctx<'_>) {
        let Some(direct) = self.direct.calls.remove(&guest) else {
            return;
        };
        let host = self.direct.id_of(into);
        let host = host.or_else(|| self.legs.call_of_session(into));
        let joined = Change::CallJoined {
            id: ids::call(direct.id),
            into: host.map(ids::call),
        };
        self.publisher.change(cx.now, joined);
        self.direct.changed(cx.now, into);
    }

    /// Legs of a session as its record shows them.
    pub(super) fn record_legs(&self, call: &CallRecord) -> Vec<RecordLeg> {
        let legs = call.legs.iter();
        legs.map(|leg| RecordLeg::new(leg, self.named(leg.user.as_deref())))
            .collect()
    }

    /// The person of a user.
    pub(super) fn named(&self, user: Option<&str>) -> Option<AgentName> {
        let person = self.directory.person(user?)?;
        Some(AgentName {
            id: person.id.clone(),
            name: person.display.clone(),
        })
    }
}

/// Record of a direct call that was live when the gateway stopped, as it was published last.
pub(super) fn lost(call: Call, at: Moment) -> Record {
    let number = ids::read_call(&call.id).unwrap_or(CallId(0));
    let seconds = |from: Moment, to: Moment| to.0.since(from.0).as_secs_f64();
    Record {
        id: direct_record(number),
        call: call.id,
        kind: call.kind.into(),
        queue: None,
        queue_name: String::new(),
        from: call.from,
        to: call.to,
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

/// Id of the record of a call that came through no queue.
pub(super) fn direct_record(call: CallId) -> String {
    format!("dir_{}", ids::record(call).trim_start_matches("rec_"))
}

/// Sound quality of the first leg, which is the caller's, and of the last other one that had any and `is_agents`.
pub(super) fn mos(legs: &[RecordLeg], is_agents: impl Fn(&RecordLeg) -> bool) -> Mos {
    let of = |leg: &RecordLeg| leg.media.as_ref().and_then(|media| media.mos);
    let mut legs = legs.iter();
    Mos {
        caller: legs.next().and_then(of),
        agent: legs.filter(|leg| is_agents(leg)).filter_map(of).next_back(),
    }
}

/// The caller, and everybody who is called or talks.
fn parties(direct: &DirectCall, legs: &[CallLeg]) -> Vec<Participant> {
    let caller = match direct.from.display.as_str() {
        "" => &direct.from.number,
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

#[cfg(test)]
mod tests {
    use super::super::view::{LegDirection, LegMedia};
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
