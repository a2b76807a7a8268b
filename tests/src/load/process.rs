//! The processes under test: started, measured through `/proc`, ended by their id.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use super::Outcome;

/// A process that we started. Dropping it ends it.
pub(crate) struct Daemon {
    pid: u32,
    child: Option<Child>,
}

impl Daemon {
    /// Starts a child; its output goes to `log`.
    pub(crate) fn spawn(command: &mut Command, log: &Path) -> Outcome<Daemon> {
        let out = fs::File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .map_err(|error| format!("{:?}: {error}", command.get_program()))?;
        Ok(Daemon {
            pid: child.id(),
            child: Some(child),
        })
    }

    /// Runs a script that starts a daemon and writes its process id into `pid_file`.
    pub(crate) fn by_script(mut command: Command, pid_file: &Path) -> Outcome<Daemon> {
        let name = format!("{:?}", command.get_program());
        let status = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("{name} could not start: are its ports in use?").into());
        }
        let pid = fs::read_to_string(pid_file)?.trim().parse()?;
        Ok(Daemon { pid, child: None })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it accepts connections at `address`.
    pub(crate) fn wait_for_tcp(&mut self, address: SocketAddr) -> Outcome<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                return Err(format!("it ended at once: {status}").into());
            }
            match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(format!("{address}: {error}").into()),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Kills a child, as a power cut would, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Outcome<()> {
        if let Some(child) = &mut self.child {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Waits for a child to end by itself.
    pub(crate) fn wait(mut self, limit: Duration) -> Outcome<()> {
        let deadline = Instant::now() + limit;
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        while child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(format!("process {} did not end within {limit:?}", self.pid).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let signal = |name: &str| {
            let _ = Command::new("kill")
                .arg(name)
                .arg(self.pid.to_string())
                .stderr(Stdio::null())
                .status();
        };
        let gone = |child: &mut Option<Child>| match child {
            Some(child) => !matches!(child.try_wait(), Ok(None)),
            // Nobody may be there to ask for its status: a zombie is gone too.
            None => fs::read_to_string(format!("/proc/{}/stat", self.pid))
                .ok()
                .and_then(|stat| Some(stat.rsplit_once(')')?.1.trim_start().starts_with('Z')))
                .unwrap_or(true),
        };
        if gone(&mut self.child) {
            return;
        }
        signal("-TERM");
        let deadline = Instant::now() + Duration::from_secs(3);
        while !gone(&mut self.child) {
            if Instant::now() > deadline {
                signal("-KILL");
                if let Some(child) = &mut self.child {
                    let _ = child.wait();
                }
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The process and those that it forked.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let parent = fs::read_to_string(format!("/proc/{pid}/stat"))
            .ok()
            .and_then(|stat| {
                let (_, rest) = stat.rsplit_once(')')?;
                rest.split_whitespace().nth(1)?.parse::<u32>().ok()
            });
        if let Some(parent) = parent {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == pid)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found
}

/// CPU time of the processes so far, threads that have ended included, in nanoseconds.
pub(crate) fn cpu_ns(pids: &[u32]) -> u64 {
    let spent = |pid: &u32| {
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(*pid).ok()?)).ok()?;
        Some(Duration::from(clock_gettime(clock).ok()?))
    };
    let sum: Duration = pids.iter().filter_map(spent).sum();
    u64::try_from(sum.as_nanos()).unwrap_or(u64::MAX)
}

/// Resident memory of the processes, kB, pages shared between them counted once (`Pss`).
pub(crate) fn memory_kb(pids: &[u32]) -> u64 {
    let pss = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?.trim();
        line.split(' ').next()?.parse::<u64>().ok()
    };
    pids.iter().filter_map(pss).sum()
}
