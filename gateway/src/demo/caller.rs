//! Callers of queues, through the whole path, over SIP and RTP, so that a newcomer has somebody to talk with.

use std::net::SocketAddr;
use std::time::Duration;

use sip_stack::client::{Client, ClientError, Sound};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The account that demo callers call from; its password is made anew at each start.
pub(super) const ACCOUNT: &str = "demo-caller";

/// Maximum time that a demo caller waits and talks.
const PATIENCE: Duration = Duration::from_secs(600);

/// Demo callers at a time; more are not started.
const CALLERS: usize = 8;

/// Calls each number that comes in, with one caller who plays back what it hears, until the channel closes.
pub(super) async fn run(gateway: SocketAddr, password: String, mut wanted: mpsc::Receiver<String>) {
    let mut callers = JoinSet::new();
    loop {
        tokio::select! {
            number = wanted.recv() => match number {
                Some(number) if callers.len() < CALLERS => {
                    let password = password.clone();
                    callers.spawn(async move {
                        if let Err(error) = call(gateway, &password, &number).await {
                            tracing::warn!(%error, "demo caller");
                        }
                    });
                }
                Some(_) => tracing::info!("demo caller not started: enough are active"),
                None => break,
            },
            Some(_) = callers.join_next(), if !callers.is_empty() => {}
        }
    }
    callers.shutdown().await;
}

async fn call(gateway: SocketAddr, password: &str, number: &str) -> Result<(), ClientError> {
    let client = match Client::builder()
        .user_agent("Cordboard demo caller")
        .rtp_ports(23_000..=23_999)
        .start()
        .await
    {
        Ok(client) => client,
        Err(error) => {
            tracing::warn!(%error, "demo caller");
            return Ok(());
        }
    };
    let account = client.account(&format!("sip:{ACCOUNT}@{gateway}"), ACCOUNT, password)?;
    let mut call = account.dial(number, Sound::echo()).await?;
    // A caller who waits longer is hung up with the client.
    let _ = tokio::time::timeout(PATIENCE, call.ended()).await;
    client.stop().await;
    Ok(())
}
