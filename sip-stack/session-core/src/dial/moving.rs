//! Moving on: what a change of a target means for the calls and registrations that are under way there.

use sans_io::Time;

use super::Way;
use crate::call::Call;
use crate::coordinator::Coordinator;
use crate::event::Event;
use crate::leg::Leg;
use crate::trunk::TargetState;

impl Coordinator {
    /// Reports targets whose state has changed. Calls that wait at one that is down go on elsewhere at once, and its registrations move.
    /// True if there were any.
    pub(crate) fn settle_targets(&mut self, now: Time) -> bool {
        let mut any = false;
        while let Some((trunk, target, status)) = self.context_mut().trunks.next_change() {
            any = true;
            let is_down = matches!(status.state, TargetState::Down(_));
            let name = trunk.clone();
            self.context_mut().event(Event::Target {
                trunk,
                target: Box::new(status),
            });
            if !is_down {
                continue;
            }
            let there = |l: &&Leg| l.way().and_then(Way::target) == Some(target);
            let legs = self.calls().flat_map(Call::legs).filter(there);
            let legs: Vec<_> = legs.map(Leg::id).collect();
            for leg in legs {
                self.with_leg(leg, |call, cx| call.leave_target(cx, now, leg));
            }
            let (registrations, cx) = self.registrations_mut();
            registrations.target_down(cx, now, &name, target);
        }
        any
    }

    /// Calls whose turn at their trunk has come send their INVITE.
    pub(crate) fn turns_came(&mut self, now: Time) {
        while let Some(leg) = self.context_mut().trunks.next_turn(now) {
            self.with_leg(leg, |call, cx| call.turn_came(cx, now, leg));
        }
    }
}
