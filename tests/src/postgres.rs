//! A PostgreSQL server of our own in a temporary folder, reached over a Unix socket; never the system's.

use std::fs::File;
use std::io::{Error, Result};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Time that the server may take to accept connections.
const START: Duration = Duration::from_secs(60);

/// A server; dropping it ends it and removes its data.
#[derive(Debug)]
pub struct Postgres {
    /// Its path is short, since the socket's has to fit into 107 octets.
    folder: TempDir,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    server: Option<Child>,
}

impl Postgres {
    /// A fresh cluster, accepting connections.
    pub fn start() -> Result<Postgres> {
        let mut postgres = Postgres {
            folder: tempfile::Builder::new().prefix("cordboard-pg-").tempdir()?,
            programs: programs()?,
            owner: owner()?,
            server: None,
        };
        if let Some((uid, gid)) = postgres.owner {
            chown(postgres.folder.path(), Some(uid), Some(gid))?;
        }
        let data = postgres.folder.path().join("data");
        let mut initdb = postgres.command("initdb");
        initdb.args([
            "--no-sync",
            "--auth=trust",
            "--username=cordboard",
            "--encoding=UTF8",
            "-D",
        ]);
        let done = initdb.arg(data).stdin(Stdio::null()).output()?;
        if !done.status.success() {
            return Err(Error::other(String::from_utf8_lossy(&done.stderr).into_owned()));
        }
        postgres.restart()?;
        Ok(postgres)
    }

    /// URL of the database that exists from the start.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres:///postgres?host={}&user=cordboard",
            self.folder.path().display()
        )
    }

    /// Kills the server outright; its processes notice and end.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut server) = self.server.take() {
            server.kill()?;
            server.wait()?;
        }
        Ok(())
    }

    /// Starts the server again, and waits until it accepts connections.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        let began = Instant::now();
        while began.elapsed() < START {
            let running = match &mut self.server {
                Some(server) => server.try_wait()?.is_none(),
                None => false,
            };
            // The server refuses to start while processes of a killed one are still ending.
            if !running {
                self.server = Some(self.serve()?);
            }
            let mut ready = self.command("pg_isready");
            ready
                .args(["--quiet", "-h"])
                .arg(self.folder.path())
                .stdin(Stdio::null());
            if ready.status()?.success() {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        Err(Error::other(
            "the server does not accept connections; see its log",
        ))
    }

    fn serve(&self) -> Result<Child> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.folder.path().join("data"));
        command.args(["-c", "listen_addresses=", "-c", "max_connections=40", "-k"]);
        command.arg(self.folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log).spawn()
    }

    /// A program of the server, which refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).env("LC_ALL", "C");
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Debian keeps them by version, out of the path.
fn programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others: Vec<PathBuf> = std::env::split_paths(&path).collect();
    debian
        .chain(others)
        .find(|folder| folder.join("initdb").exists())
        .ok_or_else(|| Error::other("PostgreSQL is missing (Debian: apt-get install postgresql)"))
}

/// User and group to run as, where we are root.
fn owner() -> Result<Option<(u32, u32)>> {
    use std::os::unix::fs::MetadataExt;
    if Path::new("/proc/self").metadata()?.uid() != 0 {
        return Ok(None);
    }
    let accounts = std::fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = accounts
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let found = ids("postgres").or_else(|| ids("nobody"));
    found
        .map(Some)
        .ok_or_else(|| Error::other("root may not run PostgreSQL, and nobody else is there"))
}
