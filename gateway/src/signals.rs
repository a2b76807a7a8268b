//! Signals of the system, and the request that each stands for.

use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Request of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// End all calls, then the process.
    Stop(&'static str),
    /// Read the configuration again.
    Reload,
    /// Restart without hanging up.
    Restart,
}

/// The signals that do not ask for the end. From the first moment on they no longer end the process by
/// themselves; those that arrive during the start wait until it is over.
pub(crate) struct Early {
    hangup: Signal,
    restart: Signal,
    /// Started by hand: SIGHUP means that the terminal is gone, if it is.
    from_terminal: bool,
}

impl Early {
    pub(crate) fn listen() -> io::Result<Early> {
        Ok(Early {
            hangup: signal(SignalKind::hangup())?,
            restart: signal(SignalKind::user_defined2())?,
            from_terminal: io::stdin().is_terminal(),
        })
    }
}

/// All signals that are handled, once the gateway has something to end in order.
pub(crate) struct Signals {
    early: Early,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn listen(early: Early) -> io::Result<Signals> {
        Ok(Signals {
            early,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop("SIGINT"),
            _ = self.terminate.recv() => Wish::Stop("SIGTERM"),
            _ = self.early.restart.recv() => Wish::Restart,
            _ = self.early.hangup.recv() => {
                // A closed terminal is not a terminal any more.
                if self.early.from_terminal && !io::stdin().is_terminal() {
                    Wish::Stop("SIGHUP, the terminal was closed")
                } else {
                    Wish::Reload
                }
            }
        }
    }
}

/// Becomes a new process of the same program, as it is on disk now, with the same arguments. Sockets close
/// without a word to anybody, and the store is read again. Returns only if that cannot be done.
pub(crate) fn restart() -> io::Error {
    let program = match std::env::current_exe() {
        Ok(path) => updated(path),
        Err(error) => return error,
    };
    std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .exec()
}

/// The file that replaced the running program, if it was replaced: Linux marks the path of the old one.
fn updated(path: PathBuf) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(place) => PathBuf::from(place),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_program_is_found_where_it_was() {
        assert_eq!(
            updated("/usr/bin/cordboard (deleted)".into()),
            PathBuf::from("/usr/bin/cordboard")
        );
        assert_eq!(
            updated("/usr/bin/cordboard".into()),
            PathBuf::from("/usr/bin/cordboard")
        );
    }
}
