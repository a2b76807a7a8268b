//! Watching the configuration file and the certificates: by what the file system reports, which also works
//! over a network and where a directory is swapped for another (as Kubernetes does with its volumes).

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::config::Config;

/// Interval of the checks. A change must have lasted for one more check, so that no file is read half written.
const LOOK: Duration = Duration::from_secs(1);

/// State of a file as the file system reports it; `None`: no such file.
type Stamp = Option<(u64, u64, SystemTime)>;

/// Files that are watched.
#[derive(Debug)]
pub(crate) struct Watch {
    files: Vec<PathBuf>,
    /// State when they were last read.
    read: Vec<Stamp>,
    /// State at the last check.
    seen: Vec<Stamp>,
    look: Interval,
}

impl Watch {
    /// Watches the files of a configuration; none if watching is switched off.
    pub(crate) fn new(file: Option<&PathBuf>, config: &Config) -> Watch {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watch = Watch {
            files: Vec::new(),
            read: Vec::new(),
            seen: Vec::new(),
            look,
        };
        watch.set(file, config);
        watch
    }

    /// Watches the files of another configuration. Their present state counts as read.
    pub(crate) fn set(&mut self, file: Option<&PathBuf>, config: &Config) {
        let of_trunks = config.trunk_tls.values();
        let authorities = of_trunks.clone().filter_map(|tls| tls.ca.clone());
        let tls = [config.http.tls.as_ref(), config.sip.identity.as_ref()];
        let pairs = tls
            .into_iter()
            .chain(of_trunks.map(|tls| tls.identity.as_ref()))
            .flatten()
            .flat_map(|tls| [tls.certificate.clone(), tls.key.clone()])
            .chain(authorities)
            .chain(config.shaken.files.iter().cloned());
        self.files = if config.watch {
            file.cloned().into_iter().chain(pairs).collect()
        } else {
            Vec::new()
        };
        self.read = self.stamps();
        self.seen.clone_from(&self.read);
    }

    /// Waits until a file has changed and stays as it is. May be dropped and called again.
    pub(crate) async fn changed(&mut self) {
        loop {
            self.look.tick().await;
            let now = self.stamps();
            let is_stable = now == self.seen;
            self.seen = now;
            if is_stable && self.seen != self.read {
                self.read.clone_from(&self.seen);
                return;
            }
        }
    }

    fn stamps(&self) -> Vec<Stamp> {
        let stamp = |path: &PathBuf| {
            let data = std::fs::metadata(path).ok()?;
            Some((data.ino(), data.len(), data.modified().ok()?))
        };
        self.files.iter().map(stamp).collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_change_is_told_once_and_when_it_is_whole() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("cordboard.toml");
        std::fs::write(&file, "one")?;
        let config = Config::default();
        let mut watch = Watch::new(Some(&file), &config);
        let long = Duration::from_secs(60);
        assert!(timeout(long, watch.changed()).await.is_err(), "nothing changed");
        std::fs::write(&file, "two, half writ")?;
        assert!(
            timeout(LOOK, watch.changed()).await.is_err(),
            "it may still be written"
        );
        std::fs::write(&file, "two, half written, and whole")?;
        timeout(long, watch.changed()).await.expect("changed");
        assert!(timeout(long, watch.changed()).await.is_err(), "told once");
        // An editor may write another file in its place.
        std::fs::write(folder.path().join("new"), "two, half written, and wholE")?;
        std::fs::rename(folder.path().join("new"), &file)?;
        timeout(long, watch.changed()).await.expect("another file");
        let mut off = Watch::new(
            Some(&file),
            &Config {
                watch: false,
                ..config
            },
        );
        std::fs::write(&file, "three")?;
        assert!(timeout(long, off.changed()).await.is_err(), "not watched");
        Ok(())
    }
}
