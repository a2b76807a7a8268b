//! Requests that get no answer.

use super::Endpoint;
use super::ids::{ServerTx, UsageId};
use super::usage::State;

impl Endpoint {
    /// Leaves the request of an `Event::Request` without an answer and forgets it.
    pub fn pass_over(&mut self, tx: ServerTx) {
        if self.servers.get(&tx.0).is_some_and(|entry| entry.usage.is_none()) {
            self.drop_server(tx.0);
        }
    }

    /// Leaves the call of an `Event::Invite` without a further answer and forgets it: no `Event::Ended`.
    /// Possible until the first response to it.
    pub fn pass_over_call(&mut self, usage: UsageId) {
        let server = self
            .usages
            .get(&usage)
            .filter(|state| state.state == State::Incoming)
            .and_then(|state| state.server);
        if let Some(server) = server {
            self.usages.remove(&usage);
            self.drop_server(server);
        }
    }
}
