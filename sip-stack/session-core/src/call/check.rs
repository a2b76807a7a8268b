//! Invariants of a call: what must hold between any two inputs.

use super::Call;
use crate::dial::Dialling;
use crate::index::Index;
use crate::leg::Leg;

impl Call {
    /// The first invariant that does not hold, if any.
    pub(crate) fn broken(&self, index: &Index) -> Option<&'static str> {
        let all = |holds: &dyn Fn(&Leg) -> bool| self.legs.iter().all(holds);
        let invited = |l: &Leg| l.invitation().filter(|name| l.is_invited_for(*name));
        let checks: [(bool, &str); 9] = [
            (
                all(&|l| index.session(l.id()) == Some(self.id)),
                "each leg is found in its call",
            ),
            (
                all(&|l| l.usage().is_none_or(|usage| index.leg(usage) == Some(l.id()))),
                "each dialog is found with its leg",
            ),
            (
                self.legs.iter().filter(|l| l.is_caller()).count() <= 1,
                "a call has one caller",
            ),
            (
                all(&|l| !l.is_branch() || self.dialling.is_some()),
                "a branch rings because its call is dialled",
            ),
            (
                all(&|l| !l.is_branch() || l.is_unanswered()),
                "a branch is not answered, or it would be a member",
            ),
            (
                all(&|l| {
                    let waits = invited(l).filter(|_| l.is_unanswered());
                    waits.is_none_or(|name| self.invitation(name).is_some())
                }),
                "a leg rings for an invitation that is there",
            ),
            (
                all(&|l| {
                    let is_for = |name| {
                        self.invitation(name)
                            .is_some_and(|i| i.is_for_transfer_by(l.id()))
                    };
                    l.aside().is_none_or(is_for)
                }),
                "a leg is aside while an invitation rings to take its place",
            ),
            (
                self.dialling
                    .as_ref()
                    .and_then(Dialling::early)
                    .is_none_or(|early| self.leg(early).is_none_or(Leg::is_branch)),
                "early media come from a branch",
            ),
            (
                !self.is_ending()
                    || (self.dialling.is_none()
                        && self.invitations.is_empty()
                        && all(&|l| !l.is_live() && !l.rings())),
                "nobody rings for a call that ends, and none of its legs goes on",
            ),
        ];
        let broken = checks.into_iter().find(|(holds, _)| !holds);
        broken.map(|(_, invariant)| invariant)
    }
}
