//! Supervisors in calls: they listen, whisper to the agent, or talk with all.

use call_engine::acd::CallId;
use sans_io::Time;
use session_core::{Coordinator, LegId, Party, Role};

use super::command::{By, Refused};
use super::commands::asked;
use super::controller::{CALL_HEADER, Controller, Use, Watcher, answer_at_once};
use super::ids;
use super::view::Mode;

impl Controller {
    pub(super) fn supervise(
        &mut self,
        now: Time,
        by: &By,
        call: CallId,
        mode: Mode,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let By::Supervisor(_) = by else {
            return Err(Refused::NotAllowed);
        };
        let name = self.name_of(by)?;
        let live = self.calls.get_mut(&call).ok_or(Refused::UnknownCall)?;
        let session = live.session;
        match live.watchers.get_mut(&name) {
            Some(watcher) => {
                watcher.mode = mode;
                self.watch_agent(call, calls);
            }
            None => {
                let headers = vec![(CALL_HEADER.to_owned(), ids::call(call)), answer_at_once()];
                let party = Party::User(name.clone());
                let leg = calls
                    .offer(now, session, asked(party, None, headers))
                    .map_err(|_| Refused::Unreachable)?;
                live.watchers
                    .insert(name.clone(), Watcher { leg, mode, up: false });
                self.legs.insert(leg, Use::Watcher(call, name));
            }
        }
        self.changed.calls.insert(call);
        Ok(())
    }

    /// The supervisor's phone answered.
    pub(super) fn watching(
        &mut self,
        now: Time,
        call: CallId,
        name: &str,
        leg: LegId,
        calls: &mut Coordinator,
    ) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        let Some(watcher) = live.watchers.get_mut(name) else {
            return;
        };
        watcher.up = true;
        watcher.leg = leg;
        let session = live.session;
        self.watch_agent(call, calls);
        calls.admit_leg(now, session, leg);
        self.changed.calls.insert(call);
    }

    /// A supervisor who whispers whispers to the agent who has the call now.
    pub(super) fn watch_agent(&mut self, call: CallId, calls: &mut Coordinator) {
        let Some(live) = self.calls.get(&call) else { return };
        for watcher in live.watchers.values().filter(|watcher| watcher.up) {
            let role = match (watcher.mode, live.agent) {
                (Mode::Party, _) => Role::Party,
                (Mode::Whisper, Some((_, agent))) => Role::Coach(agent),
                (Mode::Whisper | Mode::Listen, _) => Role::Listener,
            };
            calls.set_role(watcher.leg, role);
        }
    }
}
