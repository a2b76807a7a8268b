//! Calls as recordings name them, and changes of recordings.

use sans_io::Time;
use session_core::SessionId;

use super::Controller;
use crate::centre::ids;
use crate::centre::view::Change;
use crate::recording::desk::KnownCall;

impl Controller {
    /// The call of a session; `None` for one that is not shown, such as an agent's question to a colleague.
    #[must_use]
    pub fn known_call(&self, session: SessionId) -> Option<KnownCall> {
        let queued = self.legs.call_of_session(session);
        if let Some((id, call)) = queued.and_then(|id| Some((id, self.calls.get(&id)?))) {
            let queue = self.directory.queue(call.queue());
            return call.is_of(session).then(|| KnownCall {
                id: ids::call(id),
                queue: queue.map(|queue| (queue.id.clone(), queue.name.clone())),
            });
        }
        let id = self.direct.id_of(session)?;
        Some(KnownCall {
            id: ids::call(id),
            queue: None,
        })
    }

    /// Publishes a change of a recording.
    pub fn tell_recording(&mut self, now: Time, change: Change) {
        self.publisher.change(now, change);
        self.publish(now);
    }
}
