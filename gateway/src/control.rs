//! The control socket: a Unix socket in the state folder, by which `cordboard reload` and `cordboard restart`
//! reach the running gateway. Anybody who may write there may send commands.

use std::fmt;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::cli::Control as Options;
use crate::config::Config;
use crate::store::folder;

/// File name of the socket.
const SOCKET: &str = "control.sock";

/// Time for a client to send its command, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time for the gateway to carry the command out.
const WORK: Duration = Duration::from_secs(60);

/// First word of a positive answer.
const DONE: &str = "done";

/// Commands to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Read the configuration again.
    Reload,
    /// Restart without hanging up.
    Restart,
}

impl Command {
    const fn word(self) -> &'static str {
        match self {
            Command::Reload => "reload",
            Command::Restart => "restart",
        }
    }
}

/// Outcome of a command, one line each: warnings if it was done, otherwise the reasons why it was not.
pub(crate) type Outcome = Result<Vec<String>, Vec<String>>;

/// An outcome on its way, and a channel to confirm its delivery.
type Reply = (Outcome, oneshot::Sender<()>);

/// A command that waits for its answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) command: Command,
    reply: oneshot::Sender<Reply>,
}

impl Asked {
    /// Answers, and waits until the client has the answer or is gone.
    pub(crate) async fn answer(self, result: Outcome) {
        let (written, is_written) = oneshot::channel();
        if self.reply.send((result, written)).is_ok() {
            let _ = timeout(PATIENCE, is_written).await;
        }
    }
}

/// Listens in the state folder. Without a socket no command ever comes.
pub(crate) fn listen(folder: Option<&Path>) -> mpsc::Receiver<Asked> {
    let (sender, asked) = mpsc::channel(1);
    let Some(path) = folder.map(|folder| folder.join(SOCKET)) else {
        return asked;
    };
    match bind(&path) {
        Ok(listener) => {
            tokio::spawn(serve(listener, sender));
        }
        Err(error) => {
            tracing::warn!(
                "`cordboard reload` and `cordboard restart` do not reach this gateway: {}: {error}; SIGHUP and SIGUSR2 do the same",
                path.display()
            );
        }
    }
    asked
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another gateway has it"));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves clients one after the other: commands exclude each other anyway.
async fn serve(listener: UnixListener, sender: mpsc::Sender<Asked>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = converse(stream, &sender).await {
                    tracing::debug!(%error, "control socket");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "control socket");
                tokio::time::sleep(PATIENCE).await;
            }
        }
        if sender.is_closed() {
            return;
        }
    }
}

async fn converse(mut stream: UnixStream, sender: &mpsc::Sender<Asked>) -> io::Result<()> {
    let mut line = String::new();
    timeout(
        PATIENCE,
        BufReader::new((&mut stream).take(64)).read_line(&mut line),
    )
    .await??;
    let command = [Command::Reload, Command::Restart]
        .into_iter()
        .find(|command| command.word() == line.trim());
    let Some(command) = command else {
        return stream.write_all(b"failed\nunknown command\n").await;
    };
    let (reply, answer) = oneshot::channel();
    let gone = || io::Error::other("the gateway is stopping");
    sender.send(Asked { command, reply }).await.map_err(|_| gone())?;
    let (result, written) = answer.await.map_err(|_| gone())?;
    let (word, lines) = match &result {
        Ok(lines) => (DONE, lines),
        Err(lines) => ("failed", lines),
    };
    let text = std::iter::once(word)
        .chain(lines.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("\n");
    timeout(PATIENCE, stream.write_all(format!("{text}\n").as_bytes())).await??;
    let _ = timeout(PATIENCE, stream.shutdown()).await;
    let _ = written.send(());
    Ok(())
}

/// Reason why a command did not reach the gateway: one line for people.
#[derive(Debug)]
pub struct ControlError(String);

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ControlError {}

/// The commands `reload` and `restart`. Fails if the gateway did not carry the command out, and prints the
/// reason to standard error.
///
/// # Errors
/// The gateway cannot be reached.
pub async fn run(command: Command, options: Options) -> Result<ExitCode, ControlError> {
    let folder = state_folder(&options)
        .ok_or_else(|| ControlError("no state folder: name it with --state".to_owned()))?;
    let path = folder.join(SOCKET);
    let refused = |error: io::Error| {
        ControlError(format!(
            "no gateway answers at {}: {error}; name its state folder with --state, or its file with --config",
            path.display()
        ))
    };
    let mut stream = UnixStream::connect(&path).await.map_err(refused)?;
    let ask = async {
        stream
            .write_all(format!("{}\n", command.word()).as_bytes())
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        io::Result::Ok(answer)
    };
    let answer = match timeout(WORK, ask).await {
        Ok(answer) => answer.map_err(refused)?,
        Err(_) => return Err(ControlError("the gateway does not answer".to_owned())),
    };
    let mut lines = answer.lines();
    let done = lines.next() == Some(DONE);
    for line in lines {
        eprintln!("{line}");
    }
    Ok(match (done, command) {
        (true, Command::Reload) => {
            println!("configuration reloaded");
            ExitCode::SUCCESS
        }
        (true, Command::Restart) => {
            println!("restarting");
            ExitCode::SUCCESS
        }
        (false, _) => {
            eprintln!("nothing was changed");
            ExitCode::FAILURE
        }
    })
}

fn state_folder(options: &Options) -> Option<PathBuf> {
    let of_file = || Config::state_in(options.config.as_deref()?);
    options
        .state
        .clone()
        .or_else(of_file)
        .or_else(|| folder::usual(|name| std::env::var_os(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(folder: &Path, command: Command) -> Result<ExitCode, ControlError> {
        let options = Options {
            config: None,
            state: Some(folder.to_owned()),
        };
        run(command, options).await
    }

    #[tokio::test]
    async fn a_command_is_done_or_refused_and_a_socket_left_behind_is_taken_over() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let state = folder.path().join("state");
        assert!(ask(&state, Command::Reload).await.is_err(), "nobody is there");
        std::fs::create_dir(&state)?;
        drop(std::os::unix::net::UnixListener::bind(state.join(SOCKET))?);
        let mut asked = listen(Some(&state));
        assert!(listen(Some(&state)).recv().await.is_none(), "it is taken");
        let gateway = tokio::spawn(async move {
            let first = asked.recv().await.expect("asked");
            assert_eq!(first.command, Command::Reload);
            first.answer(Ok(vec!["a warning".into()])).await;
            let second = asked.recv().await.expect("asked");
            assert_eq!(second.command, Command::Restart);
            second.answer(Err(vec!["no".into()])).await;
        });
        assert_eq!(
            ask(&state, Command::Reload).await.expect("reached"),
            ExitCode::SUCCESS
        );
        assert_eq!(
            ask(&state, Command::Restart).await.expect("reached"),
            ExitCode::FAILURE
        );
        gateway.await?;
        let mode = std::fs::metadata(state.join(SOCKET))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Ok(())
    }
}
