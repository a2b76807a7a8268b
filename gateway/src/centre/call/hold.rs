//! Hold: the caller hears music and the agent nothing.

use super::super::command::Refused;
use super::super::context::Ctx;
use super::{Call, CallState};

impl Call {
    /// Puts the caller on hold, or takes the caller back. The engine has to learn of it.
    pub(in crate::centre) fn hold(&self, held: bool, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let CallState::Talking { .. } = self.state else {
            return Err(Refused::WrongState);
        };
        if held {
            cx.coordinator.hold(cx.now, self.caller);
        } else {
            cx.coordinator.resume(cx.now, self.caller);
        }
        Ok(())
    }
}
