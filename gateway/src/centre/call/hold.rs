//! Hold: the caller hears music and the agent nothing.

use call_engine::acd::Input;

use super::super::command::Refused;
use super::{Call, CallState, Context};

impl Call {
    /// Puts the caller on hold, or takes the caller back.
    pub(in crate::centre) fn hold(&self, held: bool, cx: &mut Context<'_>) -> Result<Input, Refused> {
        let CallState::Talking { .. } = self.state else {
            return Err(Refused::WrongState);
        };
        if held {
            cx.coordinator.hold(cx.now, self.caller);
        } else {
            self.resume(cx);
        }
        Ok(Input::Held { call: cx.id, held })
    }
}
