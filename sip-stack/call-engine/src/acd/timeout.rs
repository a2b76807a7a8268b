//! Actions of timers.

use sans_io::Time;

use super::ids::{AgentId, AssignmentId, CallId};
use super::{Acd, OverflowCause};

/// Purpose of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// A sign of life is due.
    Probe(AgentId),
    /// The agent did not answer.
    Ring(AssignmentId),
    /// The agent's phone did not even ring.
    Alert(AssignmentId),
    /// Ring-progressive: one more.
    Progress(CallId),
    /// The agent that the caller knows is not asked alone any longer.
    Sticky(CallId),
    /// The call accepts more agents.
    Widen(CallId),
    /// The call waited as long as it may.
    MaxWait(CallId),
    /// Announces the caller's position.
    Announce(CallId),
    /// Caller and agent should hear each other by now.
    Connect(CallId),
    /// The agent's page should be back by now.
    CallGrace(CallId),
    /// The gateway should have found the call again by now.
    Recover(CallId),
    /// Wrap-up is over.
    WrapUp(AgentId),
    /// The agent gets assignments again.
    CoolDown(AgentId),
    /// The agent may get a call again that it did not take.
    Exclude(AgentId),
    /// The agent's page should be back by now.
    DetachGrace(AgentId),
}

impl Alarm {
    const fn reason(self) -> &'static str {
        match self {
            Alarm::Ring(_) => "ring",
            Alarm::Alert(_) => "alert",
            Alarm::Progress(_) => "progress",
            Alarm::Sticky(_) => "sticky",
            Alarm::Widen(_) => "widen",
            Alarm::MaxWait(_) => "maximum wait",
            Alarm::Announce(_) => "announce",
            Alarm::Connect(_) => "connect",
            Alarm::CallGrace(_) => "call grace",
            Alarm::Recover(_) => "recover",
            Alarm::WrapUp(_) => "wrap-up",
            Alarm::CoolDown(_) => "cool-down",
            Alarm::Exclude(_) => "exclusion",
            Alarm::Probe(_) => "probe",
            Alarm::DetachGrace(_) => "detach grace",
        }
    }
}

impl Acd {
    pub(super) fn arm(&mut self, alarm: Alarm, at: Time) {
        self.timers.set(alarm, at, alarm.reason());
    }

    /// Runs due timers, moment by moment, each with the matches that follow from it: an agent who became free
    /// at an earlier deadline is there at a later one, and nobody is assigned a call at the very moment of
    /// another deadline.
    pub(super) fn run_timers(&mut self, now: Time) {
        while let Some((moment, _)) = self.timers.next().filter(|(at, _)| *at <= now) {
            while let Some(alarm) = self.timers.pop_due(moment) {
                self.ring_out(now, alarm);
            }
            self.match_all(now);
        }
    }

    fn ring_out(&mut self, now: Time, alarm: Alarm) {
        match alarm {
            Alarm::Ring(assignment) => self.unanswered(now, assignment),
            Alarm::Alert(assignment) => self.lose_assignment(now, assignment),
            Alarm::Progress(call) => self.ring_one_more(call),
            Alarm::Sticky(call) => self.widen(now, call),
            Alarm::Widen(call) => self.widen(now, call),
            Alarm::MaxWait(call) => self.overflow(now, call, OverflowCause::MaxWait),
            Alarm::Announce(call) => self.announce(now, call),
            Alarm::Connect(call) => self.not_connected(now, call),
            Alarm::CallGrace(call) => self.agent_lost(now, call),
            Alarm::Recover(call) => self.not_recovered(now, call),
            Alarm::WrapUp(agent) => self.end_wrap_up(now, agent, None),
            Alarm::CoolDown(agent) => self.cooled_down(now, agent),
            Alarm::Exclude(agent) => self.exclusions_over(now, agent),
            Alarm::Probe(agent) => self.probe(now, agent),
            Alarm::DetachGrace(agent) => self.detach(now, agent),
        }
    }
}
