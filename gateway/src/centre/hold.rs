//! Hold: the caller hears music and the agent nothing.

use call_engine::acd::{CallId, Input};

use super::command::Refused;
use super::commands::check;
use super::context::Ctx;
use super::controller::Controller;

impl Controller {
    pub(super) fn hold(&mut self, id: CallId, held: bool, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        self.talking(id)?;
        let call = self.call(id)?;
        if call.consult().is_some() {
            return Err(Refused::WrongState);
        }
        if held {
            cx.coordinator.hold(cx.now, call.caller);
        } else {
            cx.coordinator.resume(cx.now, call.caller);
        }
        check(self.input(Input::Held { call: id, held }, cx))
    }
}
