//! Other users in the directory, while calls go on.

use std::collections::BTreeMap;

use sans_io::Time;

use super::Directory;
use crate::config::{Access, User};
use crate::coordinator::Coordinator;

impl Coordinator {
    /// Sets the users from now on. A user who is removed, or has another password, is no longer registered,
    /// the user's connections speak for nobody, and the user watches nobody; calls in progress go on. A client calls and is called
    /// without a directory: nothing is done.
    pub fn set_users(&mut self, now: Time, users: BTreeMap<String, User>) {
        let cx = self.context_mut();
        if cx.directory.is_open() {
            return;
        }
        let gone = cx.directory.set_users(users);
        cx.directory.registrar_mut().handle_timeout(now);
        cx.report_reachable();
        self.watchers_gone(&gone);
        self.publishers_gone(&gone);
        self.mailboxes_gone();
        for user in &gone {
            if self.context().directory.user(user).is_none() {
                self.set_activity(user, None);
            }
        }
        self.forget_kept(now);
    }
}

impl Directory {
    /// Replaces the users. Gives those who are removed or have another password.
    fn set_users(&mut self, users: BTreeMap<String, User>) -> Vec<String> {
        // A client of the library admits everybody, and has no users.
        let Access::Directory { users: known, .. } = &mut self.access else {
            return Vec::new();
        };
        let before = std::mem::replace(known, users);
        let after = &*known;
        let gone: Vec<String> = before
            .into_iter()
            .filter(|(name, user)| after.get(name).map(|user| &user.password) != Some(&user.password))
            .map(|(name, _)| name)
            .collect();
        for name in &gone {
            self.user_rights_lost(name);
            self.registrar.forget(name);
        }
        gone
    }
}
