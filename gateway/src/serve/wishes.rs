//! Wishes of whoever runs the gateway: reload, restart, stop.

use std::path::Path;

use crate::reload::Reloader;
use crate::signals::{Signals, Wish};
use crate::watch::Watch;
use crate::{control, signals};

/// Carries out requests of signals, the control socket and changed files, until a signal ends it.
pub(super) async fn until_stopped(
    signals: &mut Signals,
    state: Option<&Path>,
    watch: &mut Watch,
    reloader: &mut Reloader,
) -> &'static str {
    let mut control = control::listen(state);
    loop {
        let asked = tokio::select! {
            wish = signals.next() => match wish {
                Wish::Stop(signal) => return signal,
                Wish::Reload => ("SIGHUP", None),
                Wish::Restart => {
                    restart("SIGUSR2");
                    continue;
                }
            },
            Some(asked) = control.recv() => match asked.command {
                control::Command::Reload => ("command", Some(asked)),
                control::Command::Restart => {
                    asked.answer(Ok(Vec::new())).await;
                    restart("command");
                    continue;
                }
            },
            () = watch.changed() => ("changed file", None),
            () = reloader.due() => ("retry", None),
        };
        let (asked_by, waiting) = asked;
        let result = reloader.reload(asked_by).await;
        if result.is_ok() {
            watch.set(reloader.file.as_ref(), &reloader.config);
        }
        if let Some(asked) = waiting {
            asked.answer(result).await;
        }
    }
}

/// Restarts in place; returns only if that failed.
fn restart(asked_by: &str) {
    tracing::info!(asked_by, "restarting without hanging up");
    let error = signals::restart();
    tracing::error!(%error, "cannot restart; going on");
}
