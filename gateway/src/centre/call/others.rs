//! Those who take part besides caller and agent: how they join, and who of them has the call when the agent leaves.

use call_engine::acd::AgentId;
use session_core::LegId;

use super::super::command::Refused;
use super::super::legs::Role;
use super::{AgentLeg, Call, Context, Other};

impl Call {
    /// Somebody takes part on `leg` besides caller and agent.
    pub(in crate::centre) fn join(&mut self, leg: LegId, other: Other, cx: &mut Context<'_>) {
        cx.legs.set(leg, Role::Other(cx.id));
        self.add_other(leg, other);
        cx.publish();
    }

    /// Somebody on `leg` is out of the call. A caller whom everybody left is not left alone.
    pub(in crate::centre) fn other_left(&mut self, leg: LegId, cx: &mut Context<'_>) {
        self.remove_other(leg);
        cx.publish();
        if self.is_alone() {
            self.terminate(cx);
        }
    }

    /// A colleague in the call has it from now on.
    pub(in crate::centre) fn give_to(&mut self, from: AgentId, to: AgentLeg, cx: &mut Context<'_>) {
        self.hand_over(from, to);
        cx.legs.set(to.leg, Role::Agent(cx.id));
        self.place_supervisors(cx);
    }

    /// Another leg gave its place to `new`.
    pub(in crate::centre) fn leg_replaced(
        &mut self,
        role: Role,
        (old, new): (LegId, LegId),
        cx: &mut Context<'_>,
    ) {
        let other = Other::on(new, cx);
        self.replace_leg(&role, old, new, other);
        cx.legs.remove(old);
        cx.legs.set(new, role);
        cx.publish();
        self.save(cx);
    }

    /// Joins the call of the agent's leg with another call of the agent, whose leg there is `aside`: the others of that call take
    /// part in this one, and the agent is out, whose two legs are still to be dropped.
    pub(in crate::centre) fn join_through(
        &mut self,
        (agent_leg, aside): (LegId, LegId),
        cx: &mut Context<'_>,
    ) -> Result<(), Refused> {
        self.resume(cx);
        let joined = cx
            .coordinator
            .join_through(cx.now, agent_leg, aside)
            .map_err(|_| Refused::WrongState)?;
        if joined.is_empty() {
            return Err(Refused::WrongState);
        }
        for leg in joined {
            let other = Other::on(leg, cx);
            self.join(leg, other, cx);
        }
        cx.legs.remove(agent_leg);
        self.release(cx.now);
        Ok(())
    }
}

impl Other {
    /// Whoever is on this leg.
    fn on(leg: LegId, cx: &Context<'_>) -> Other {
        let user = cx.coordinator.user_of(leg);
        Other {
            name: cx.coordinator.party_of(leg).unwrap_or_default().to_owned(),
            agent: user.and_then(|user| cx.directory.agent_of(user)),
        }
    }
}
